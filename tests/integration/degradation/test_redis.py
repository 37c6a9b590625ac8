"""Redis of the limits fails under all services (docs/degradation.md)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.integration.conftest import eventually
from tests.integration.degradation.platform import ANSWER_SECONDS, Platform, down, frozen, full, slow

FAULTS: dict[str, tuple[Callable[[Platform], AbstractContextManager[None]], str]] = {
    "down": (lambda at: down(at.redis), "cannot be reached"),
    "slow": (lambda at: slow(at.redis_proxy), "does not answer within 0.5 s"),
    "frozen": (lambda at: frozen(at.redis), "does not answer within 0.5 s"),
    "no-connections": (lambda at: at.redis.crowded(), "has no place for another client"),
    "read-only": (lambda at: at.redis.read_only(), "is read-only"),
    "disk-full": (lambda at: full(at.redis_disk), "cannot write to its disk"),
}
"""How it is done, and what rate-limiter says of it."""


@pytest.mark.case(10)
@pytest.mark.case(12)
@pytest.mark.parametrize("fault", FAULTS)
def test_requests_pass_without_limits_and_everybody_says_so(platform: Platform, fault: str) -> None:
    happens, reason = FAULTS[fault]
    limits_hold(platform)
    with platform.open_stream() as stream, happens(platform):
        platform.becomes("rate-limiter", "not_ready", f"the Redis of the limits {reason}")
        assert platform.metric("rate-limiter", "llm_dependency_up", dependency="store") == 0
        assert platform.metric("rate-limiter", "llm_limiter_degraded") == 1
        assert [platform.complete(platform.limited_key).status for _ in range(5)] == [200] * 5
        eventually(lambda: says_that_limits_are_off(platform, reason), "the entry says so")
        assert stream.result(ANSWER_SECONDS).text.rstrip().endswith("data: [DONE]")
    platform.becomes("rate-limiter", "ready")
    limits_hold(platform)
    platform.books_match()


def test_started_again_without_its_data_limits_begin_anew(platform: Platform) -> None:
    """Nobody notices: a bucket is full at first, and the script is loaded again."""
    key = platform.fleet.create_key("other data", "--rpm", "1")
    assert [platform.complete(key).status for _ in range(2)] == [200, 429]
    with platform.redis.operator() as operator:
        operator.flushall()
    with down(platform.redis):
        pass
    platform.becomes("rate-limiter", "ready")
    eventually(lambda: platform.complete(key).status == 200, "the key's bucket is full again")
    limits_hold(platform)


@pytest.mark.case(11)
def test_down_at_boot_it_is_used_once_it_is_there(platform: Platform) -> None:
    with down(platform.redis):
        platform.restart("rate-limiter", ready=False)
        platform.becomes("rate-limiter", "not_ready", "the Redis of the limits cannot be reached")
        eventually(lambda: platform.complete(platform.limited_key).status == 200, "requests pass")
    platform.becomes("rate-limiter", "ready")
    limits_hold(platform)


def limits_hold(platform: Platform) -> None:
    """Returns once a new key that may make one request a minute may not make two."""

    def hold() -> bool:
        key = platform.fleet.create_key("limited", "--rpm", "1")
        return [platform.complete(key).status for _ in range(2)] == [200, 429]

    eventually(hold, "limits hold", 30)
    assert platform.metric("tail", "llm_limiter_degraded") == 0


def says_that_limits_are_off(platform: Platform, reason: str) -> bool:
    assert platform.complete(platform.limited_key).status == 200
    state, reasons = platform.readiness("tail")
    said = state == "degraded" and "rate limits are off" in reasons and reason in reasons
    return said and platform.metric("tail", "llm_limiter_degraded") == 1
