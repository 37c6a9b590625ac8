"""PostgreSQL of the accounts and the ledger fails under all services (docs/degradation.md)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from llm_platform.core.errors import Code
from tests.integration.conftest import eventually
from tests.integration.degradation.platform import ANSWER_SECONDS, Platform, down, frozen, full, slow
from tests.servers.postgresql import PASSWORD

FAULTS: dict[str, tuple[Callable[[Platform], AbstractContextManager[None]], str, str]] = {
    "down": (lambda at: down(at.postgresql), "it cannot be reached", "it cannot be reached"),
    "slow": (lambda at: slow(at.postgresql_proxy), "no answer", "no answer"),
    "frozen": (lambda at: frozen(at.postgresql), "no answer", "no answer"),
    "no-connections": (
        lambda at: at.postgresql.crowded(at.database),
        "it has too many connections",
        "it has too many connections",
    ),
    "read-only": (lambda at: at.postgresql.read_only(at.database), "it is read-only", "it is read-only"),
    "disk-full": (lambda at: full(at.postgresql_disk), "the disk is full", ""),
    "other-data": (
        lambda at: at.postgresql.other_data(at.database),
        "its tables are missing",
        "its tables are missing",
    ),
}
"""How it is done, and what billing and auth-service say of it."""
KEYS_ARE_CHECKED = ("read-only", "disk-full")


@pytest.mark.case(7)
@pytest.mark.case(11)
@pytest.mark.case(12)
@pytest.mark.parametrize("fault", FAULTS)
def test_callers_are_refused_nothing_is_sent_and_each_call_is_charged_once(platform: Platform, fault: str) -> None:
    happens, ledger_reason, accounts_reason = FAULTS[fault]
    platform.serves()
    with platform.open_stream() as stream, happens(platform):
        refusal = platform.refusal()
        assert (refusal.status, refusal.code, refusal.fault) == (503, Code.UNAVAILABLE, "platform")
        assert refusal.retry_after > 0
        assert PASSWORD not in refusal.text

        sent = len(platform.calls())
        assert [platform.complete().status for _ in range(3)] == [503] * 3
        assert len(platform.calls()) == sent
        assert platform.list_models().status == 200  # whose key the entry knows is let in, for a while
        if fault not in KEYS_ARE_CHECKED:
            assert platform.list_models(platform.unseen_key).status == 503  # and not 401: the key is not what is wrong

        assert stream.result(ANSWER_SECONDS).text.rstrip().endswith("data: [DONE]")
        platform.becomes("billing", "not_ready", ledger_reason)
        assert platform.metric("billing", "llm_dependency_up", dependency="ledger") == 0
        if accounts_reason:
            platform.becomes("auth-service", "not_ready", accounts_reason)
            assert platform.metric("auth-service", "llm_dependency_up", dependency="database") == 0
        eventually(lambda: platform.metric("model-proxy", "llm_journal_backlog") > 0, "the outcome is kept")
    platform.serves()
    for service in ("billing", "auth-service"):
        platform.becomes(service, "ready")
    platform.books_match()
    eventually(lambda: platform.metric("model-proxy", "llm_journal_backlog") == 0, "all is delivered")
    assert platform.metric("billing", "llm_dependency_up", dependency="ledger") == 1


@pytest.mark.case(11)
def test_down_at_boot_it_is_waited_for(platform: Platform) -> None:
    with down(platform.postgresql):
        platform.restart("auth-service", "billing", ready=False)
        for service in ("auth-service", "billing"):
            platform.becomes(service, "starting")
        refusal = platform.refusal()
        assert (refusal.status, refusal.code) == (503, Code.UNAVAILABLE)
    for service in ("auth-service", "billing"):
        platform.becomes(service, "ready")
    platform.serves()
    platform.books_match()
