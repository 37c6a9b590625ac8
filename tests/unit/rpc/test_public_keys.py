"""auth-service's public keys at another service: how often it is asked, and what happens when it is away."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import OKPKey

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, sessions_pb2
from llm_platform.rpc.public_keys import FRESH_SECONDS, PAUSE_SECONDS, STALE_SECONDS, RemoteKeys
from tests.unit.auth_service.parts import SetClock


class AuthService:
    """Gives out the keys it was given; away without."""

    def __init__(self, *kids: str) -> None:
        self.kids: tuple[str, ...] | None = kids
        self.asked = 0

    async def public_keys(self, request: common_pb2.Empty) -> sessions_pb2.PublicKeySet:
        self.asked += 1
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
