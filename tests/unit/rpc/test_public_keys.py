"""auth-service's public keys at another service: how often it is asked, and what happens when it is away."""

from __future__ import annotations

import asyncio
import json

import pytest
from joserfc.jwk import OKPKey

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, sessions_pb2
from llm_platform.rpc import public_keys
from llm_platform.rpc.public_keys import FRESH_SECONDS, PAUSE_SECONDS, RENEW_SECONDS, STALE_SECONDS, RemoteKeys
from tests.unit.auth_service.parts import SetClock, until


class AuthService:
    """Gives out the keys it was given; away without."""

    def __init__(self, *kids: str) -> None:
        self.kids: tuple[str, ...] | None = kids
        self.asked = 0
        self.thawed = asyncio.Event()
        self.thawed.set()

    async def public_keys(self, request: common_pb2.Empty) -> sessions_pb2.PublicKeySet:
        self.asked += 1
        await self.thawed.wait()
        if self.kids is None:
            raise PlatformError(Code.UNAVAILABLE, "away")
        keys = [OKPKey.generate_key("Ed25519", {"kid": kid}).as_dict(private=False) for kid in self.kids]
        return sessions_pb2.PublicKeySet(jwks=json.dumps({"keys": keys}))


@pytest.fixture
def clock() -> SetClock:
    return SetClock(1000.0)


async def test_known_keys_are_not_asked_for_again_while_they_are_fresh(clock: SetClock) -> None:
    service = AuthService("a")
    keys = RemoteKeys(lambda: service, clock)
    for _ in range(3):
        assert await keys.find("a")
    assert service.asked == 1
    clock.now += FRESH_SECONDS
    service.kids = ("b",)
    assert await keys.find("a") is None  # withdrawn
    assert service.asked == 2


async def test_a_new_key_is_asked_for_and_made_up_ones_cause_a_question_a_second_at_most(clock: SetClock) -> None:
    service = AuthService("a")
    keys = RemoteKeys(lambda: service, clock)
    assert await keys.find("a")
    clock.now += PAUSE_SECONDS
    service.kids = ("a", "b")
    assert await keys.find("b")
    for number in range(100):
        assert await keys.find(f"made up {number}") is None
    assert service.asked == 2


async def test_while_auth_service_is_away_known_keys_hold_for_an_hour(clock: SetClock) -> None:
    service = AuthService("a")
    keys = RemoteKeys(lambda: service, clock)
    await keys.find("a")
    service.kids = None
    clock.now += STALE_SECONDS - 1
    assert await keys.find("a")
    for _ in range(2):
        with pytest.raises(PlatformError, match="auth-service does not answer"):
            await keys.find("b")
    clock.now += PAUSE_SECONDS
    with pytest.raises(PlatformError, match="auth-service does not answer"):
        await keys.find("a")
    service.kids = ("a",)
    clock.now += PAUSE_SECONDS
    assert await keys.find("a")


async def test_known_keys_are_asked_for_anew_behind_the_tokens(clock: SetClock) -> None:
    service = AuthService("a")
    keys = RemoteKeys(lambda: service, clock)
    first = await keys.find("a")
    clock.now += RENEW_SECONDS
    assert await keys.find("a") is first
    await until(lambda: keys._question is None)
    assert await keys.find("a") is not first
    assert service.asked == 2


async def test_while_auth_service_is_frozen_one_question_waits_and_no_token_of_a_known_key(
    clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_keys, "MOMENT_SECONDS", 0.001)
    service = AuthService("a")
    keys = RemoteKeys(lambda: service, clock)
    await keys.find("a")
    service.thawed.clear()
    clock.now += FRESH_SECONDS
    async with asyncio.timeout(5):
        for _ in range(3):
            assert all(await asyncio.gather(*(keys.find("a") for _ in range(50))))
    assert service.asked == 2
    strangers = [asyncio.create_task(keys.find("b")) for _ in range(50)]
    await asyncio.sleep(0)
    service.kids = None
    clock.now += 60
    service.thawed.set()
    refusals = await asyncio.gather(*strangers, return_exceptions=True)
    assert {isinstance(each, PlatformError) and each.code for each in refusals} == {Code.UNAVAILABLE}
    assert await keys.find("a")
    with pytest.raises(PlatformError):
        await keys.find("b")
    assert service.asked == 2  # the pause is counted from the answer
    clock.now += PAUSE_SECONDS
    service.kids = ("a", "b")
    assert await keys.find("b")
    assert service.asked == 3


async def test_an_answer_that_cannot_be_read_leaves_the_known_keys(clock: SetClock) -> None:
    service = AuthService("a")
    keys = RemoteKeys(lambda: service, clock)
    await keys.find("a")
    answer = sessions_pb2.PublicKeySet(jwks="[]")
    service.public_keys = lambda _: asyncio.sleep(0, answer)  # type: ignore[method-assign]
    clock.now += FRESH_SECONDS
    assert await keys.find("a")
    with pytest.raises(PlatformError, match="auth-service does not answer"):
        await keys.find("b")
