"""The entry's memory of keys, and the promise on how long a revoked key may live in it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from llm_platform.auth_service import cache as cache_module
from llm_platform.auth_service import keys
from llm_platform.auth_service.cache import KeyCache
from llm_platform.auth_service.service import AccountService
from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2
from tests.unit.auth_service.parts import SetClock, until

STALENESS = 5.0


class Directory:
    """An auth-service of one good key (or more), which can be down, frozen or out of sight of its watchers."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.revoked: set[str] = set()
        self.asked: list[str] = []
        self.down = False
        self.released = asyncio.Event()
        self.released.set()
        self.watches = 0
        self.pushed: Broadcast[accounts_pb2.Revocation] = Broadcast()

    def new_key(self) -> str:
        text = keys.new_key().text
        self.good.add(text)
        return text

    def revoke(self, text: str, push: bool = True) -> None:
        self.revoked.add(text)
        if push:
            self.pushed.publish(accounts_pb2.Revocation(key_id=keys.key_id_of(text)))

    async def authenticate(self, request: accounts_pb2.AuthenticateBatch) -> accounts_pb2.AuthenticateReplies:
        self.asked.extend(request.keys)
        if self.down:
            raise PlatformError(Code.UNAVAILABLE, "auth-service cannot be reached.")
        reply = accounts_pb2.AuthenticateReplies(items=[self._judge(text) for text in request.keys])
        await self.released.wait()
        return reply

    def _judge(self, text: str) -> accounts_pb2.AuthenticateReply:
        if text in self.revoked:
            return accounts_pb2.AuthenticateReply(refusal="revoked")
        if text not in self.good:
            return accounts_pb2.AuthenticateReply(refusal="unknown")
        return accounts_pb2.AuthenticateReply(
            principal=common_pb2.Principal(
                key_id=keys.key_id_of(text),
                role="developer",
                user_id="usr_1",
                team_id="team_1",
                organization_id="org_1",
            )
        )

    async def watch_revocations(self, request: common_pb2.Empty) -> AsyncIterator[accounts_pb2.Revocation]:
        self.watches += 1
        with self.pushed.subscribe() as events:
            yield accounts_pb2.Revocation()
            async for event in events:
                yield event


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def clock() -> SetClock:
    return SetClock(100.0)


@pytest.fixture
async def cache(directory: Directory, clock: SetClock) -> AsyncIterator[KeyCache]:
    async with KeyCache(directory, STALENESS, size=100, clock=clock) as cache:  # type: ignore[arg-type]
        await until(lambda: len(directory.pushed) == 1)
        yield cache


async def refusal_of(cache: KeyCache, key: str) -> PlatformError:
    with pytest.raises(PlatformError) as refusal:
        await cache.get(key)
    return refusal.value


async def test_a_key_is_asked_for_once_and_then_known(cache: KeyCache, directory: Directory) -> None:
    key = directory.new_key()
    for _ in range(10):
        assert (await cache.get(key)).key_id == keys.key_id_of(key)
    assert directory.asked == [key]


async def test_keys_asked_for_together_are_looked_up_together(cache: KeyCache, directory: Directory) -> None:
    batches: list[int] = []
    answer = directory.authenticate

    async def counted(request: accounts_pb2.AuthenticateBatch) -> accounts_pb2.AuthenticateReplies:
        batches.append(len(request.keys))
        return await answer(request)

    directory.authenticate = counted  # type: ignore[method-assign]
    await asyncio.gather(*(cache.get(directory.new_key()) for _ in range(50)))
    assert batches == [50]


@pytest.mark.parametrize(
    ("key", "says"),
    [("", "No API key was given"), ("sk-other", "not known"), ("sk-llm-" + "é" * 60, "not known")],
)
async def test_what_cannot_be_a_key_is_refused_without_asking(
    cache: KeyCache, directory: Directory, key: str, says: str
) -> None:
    refusal = await refusal_of(cache, key)
    assert refusal.code is Code.UNAUTHENTICATED
    assert says in refusal.message
    assert "llm-gateway keys create" in refusal.message
    assert not directory.asked


@pytest.mark.case(26)
async def test_a_pushed_revocation_takes_effect_at_once(cache: KeyCache, directory: Directory) -> None:
    key = directory.new_key()
    await cache.get(key)
    directory.revoke(key)
    await until(lambda: len(cache) == 0)
    refusal = await refusal_of(cache, key)
    assert (refusal.code, "revoked" in refusal.message) == (Code.UNAUTHENTICATED, True)


@pytest.mark.case(26)
async def test_without_a_push_a_revoked_key_lives_no_longer_than_the_stated_staleness(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key = directory.new_key()
    await cache.get(key)
    directory.revoke(key, push=False)
    clock.now += STALENESS / 2 - 0.001
    await cache.get(key)
    clock.now += STALENESS / 2 + 0.001
    assert (await refusal_of(cache, key)).code is Code.UNAUTHENTICATED
    assert directory.asked == [key, key]


@pytest.mark.case(26)
async def test_the_staleness_counts_from_the_question_not_from_the_answer(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key = directory.new_key()
    directory.released.clear()
    asking = asyncio.create_task(cache.get(key))
    await until(lambda: directory.asked)
    directory.revoke(key, push=False)
    clock.now += 1.5
    directory.released.set()
    await asking
    clock.now += STALENESS - 1.5
    assert (await refusal_of(cache, key)).code is Code.UNAUTHENTICATED


@pytest.mark.case(26)
async def test_an_answer_overtaken_by_a_revocation_is_not_kept(cache: KeyCache, directory: Directory) -> None:
    key = directory.new_key()
    directory.released.clear()
    asking = asyncio.create_task(cache.get(key))
    await until(lambda: directory.asked)
    directory.revoke(key)
    await until(lambda: cache._pushed)
    directory.released.set()
    await asking
    assert len(cache) == 0
    assert (await refusal_of(cache, key)).code is Code.UNAUTHENTICATED


async def test_a_key_in_use_is_asked_for_again_behind_the_requests(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key = directory.new_key()
    await cache.get(key)
    for _ in range(10):
        clock.now += STALENESS / 2
        await cache.get(key)
        await until(lambda: not cache._refreshes)
    assert len(directory.asked) == 11


async def test_a_refresh_that_is_refused_ends_the_key_at_once(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key = directory.new_key()
    await cache.get(key)
    directory.revoke(key, push=False)
    clock.now += STALENESS / 2
    await cache.get(key)
    await until(lambda: not cache._refreshes)
    assert (await refusal_of(cache, key)).code is Code.UNAUTHENTICATED


@pytest.mark.case(11)
async def test_while_auth_service_is_down_known_keys_serve_until_stale_and_then_it_is_503(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key, stranger = directory.new_key(), directory.new_key()
    await cache.get(key)
    directory.down = True
    assert (await refusal_of(cache, stranger)).code is Code.UNAVAILABLE
    clock.now += STALENESS - 0.001
    await cache.get(key)
    clock.now += 0.001
    refusal = await refusal_of(cache, key)
    assert (refusal.code, refusal.status) == (Code.UNAVAILABLE, 503)
    directory.down = False
    assert await cache.get(key)
    assert await cache.get(stranger)


async def test_while_it_is_down_a_key_in_use_is_asked_for_now_and_then_only(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key = directory.new_key()
    await cache.get(key)
    directory.down = True
    clock.now += STALENESS / 2
    for _ in range(100):
        await cache.get(key)
        await asyncio.sleep(0)
    assert len(directory.asked) == 2


async def test_a_frozen_auth_service_does_not_hold_requests(
    cache: KeyCache, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "LOOKUP_SECONDS", 0.05)
    directory.released.clear()
    refusals = await asyncio.gather(*(refusal_of(cache, directory.new_key()) for _ in range(5)))
    assert {refusal.code for refusal in refusals} == {Code.UNAVAILABLE}
    directory.released.set()
    assert await cache.get(directory.new_key())


async def test_a_broken_or_silent_watch_is_started_again(
    cache: KeyCache, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(cache_module, "SILENCE_SECONDS", 0.05)
    directory.pushed.close()
    await until(lambda: directory.watches >= 3)
    key = directory.new_key()
    await cache.get(key)
    await until(lambda: len(directory.pushed) == 1)
    directory.revoke(key)
    await until(lambda: len(cache) == 0)


@pytest.mark.case(22)
async def test_entries_are_found_by_the_hash_of_the_whole_key(cache: KeyCache, directory: Directory) -> None:
    key = directory.new_key()
    await cache.get(key)
    lookalike = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert (await refusal_of(cache, lookalike)).code is Code.UNAUTHENTICATED
    assert list(cache._known._values) == [hashlib.sha256(key.encode()).digest()]


async def test_guessing_neither_grows_memory_nor_pushes_good_keys_out(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key = directory.new_key()
    await cache.get(key)
    for _ in range(300):
        await refusal_of(cache, keys.new_key().text)
    assert len(cache._refused) == 100
    asked = len(directory.asked)
    await cache.get(key)
    assert len(directory.asked) == asked


async def test_a_refused_key_is_refused_from_memory_for_a_moment(
    cache: KeyCache, directory: Directory, clock: SetClock
) -> None:
    key = keys.new_key().text
    for _ in range(5):
        await refusal_of(cache, key)
    assert directory.asked == [key]
    directory.good.add(key)
    clock.now += cache_module.REFUSAL_SECONDS
    assert await cache.get(key)


async def test_memory_is_bounded_and_keeps_the_keys_used_last(cache: KeyCache, directory: Directory) -> None:
    made = [directory.new_key() for _ in range(150)]
    for key in made:
        await cache.get(key)
        await cache.get(made[0])
    assert (len(cache), len(cache._by_id)) == (100, 100)
    assert directory.asked.count(made[0]) == 1


async def test_without_staleness_every_request_asks(directory: Directory) -> None:
    async with KeyCache(directory, 0) as cache:  # type: ignore[arg-type]
        key = directory.new_key()
        await cache.get(key)
        await cache.get(key)
        assert directory.asked == [key, key]


@pytest.mark.case(26)
async def test_with_the_real_accounts_a_revoked_key_stops_while_it_is_in_use(
    accounts: AccountService, first: accounts_pb2.Bootstrapped
) -> None:
    async with KeyCache(accounts, 60) as cache:
        await cache.get(first.key.secret)
        await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=first.key.key.key_id))
        await until(lambda: len(cache) == 0)
        assert "revoked" in (await refusal_of(cache, first.key.secret)).message


@pytest.mark.parametrize("field", ["user_id", "team_id", "organization_id"])
async def test_a_pushed_change_of_whom_a_key_belongs_to_makes_it_be_asked_for_again(
    cache: KeyCache, directory: Directory, field: str
) -> None:
    key, subject = directory.new_key(), getattr((await cache.get(directory.new_key())), field)
    await cache.get(key)
    directory.pushed.publish(accounts_pb2.Revocation(**{field: f"another {subject}"}))
    directory.pushed.publish(accounts_pb2.Revocation(**{field: subject}))
    await until(lambda: len(cache) == 0)
    directory.revoked.add(key)
    assert "revoked" in (await refusal_of(cache, key)).message


async def test_a_change_of_anyone_else_leaves_a_key_known(cache: KeyCache, directory: Directory) -> None:
    key, gone = directory.new_key(), directory.new_key()
    await cache.get(key)
    await cache.get(gone)
    for change in ({"user_id": "usr_2"}, {"team_id": "team_2"}, {"organization_id": "org_2"}):
        directory.pushed.publish(accounts_pb2.Revocation(**change))
    directory.revoke(gone)
    await until(lambda: len(cache) == 1)
    await cache.get(key)
    assert directory.asked == [key, gone]
