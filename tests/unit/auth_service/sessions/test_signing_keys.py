"""The keys of tokens: shared by replicas, replaced with an overlap, unreadable in the database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from joserfc import jws
from sqlalchemy import select

from llm_platform.auth_service.sessions import signing_keys
from llm_platform.auth_service.sessions.signing_keys import SigningKeys
from llm_platform.core.actor import Actor
from llm_platform.core.actor_token import Claims, InvalidTokenError, verify
from llm_platform.core.database import open_database, sqlite_url
from tests.unit.auth_service.parts import SetClock

PEPPER = b"p" * 32
ZOE = Actor("usr_1", "Zoë", "user", "owner", "org_1", platform=True)


@asynccontextmanager
async def opened(folder: Path, clock: SetClock, pepper: bytes = PEPPER) -> AsyncIterator[SigningKeys]:
    async with open_database(sqlite_url(folder / "a.sqlite"), "llm_platform.auth_service.migrations") as engine:
        yield SigningKeys(engine, pepper, "prod.example", clock)


@pytest.fixture
async def keys(tmp_path: Path, clock: SetClock) -> AsyncIterator[SigningKeys]:
    async with opened(tmp_path, clock) as made:
        yield made


async def token(keys: SigningKeys, clock: SetClock) -> str:
    return await keys.sign(Claims(ZOE, "ses_1", int(clock.now) + 300))


def key_id(text: str) -> str:
    return str(jws.extract_compact(text.encode()).headers()["kid"])


async def holds(keys: SigningKeys, text: str, now: float) -> bool:
    try:
        return (await verify(text, keys.find, "prod.example", now)).actor == ZOE
    except InvalidTokenError:
        return False


async def test_a_token_of_one_replica_is_believed_by_another_at_once(tmp_path: Path, clock: SetClock) -> None:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        await one.jwks()
        assert (await two.jwks()) == (await one.jwks())
        await one.replace()
        clock.now += signing_keys.PAUSE_SECONDS
        assert await holds(two, await token(one, clock), clock.now)


async def test_of_replicas_that_make_the_first_key_at_once_all_know_the_same(tmp_path: Path, clock: SetClock) -> None:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        await asyncio.gather(*(each.jwks() for each in (one, two) * 3))
        clock.now += signing_keys.RELOAD_SECONDS
        assert await one.jwks() == await two.jwks()
        assert await holds(two, await token(one, clock), clock.now)


async def test_a_key_is_replaced_after_its_time_and_its_tokens_hold_meanwhile(
    keys: SigningKeys, clock: SetClock
) -> None:
    await keys.jwks()
    clock.now += signing_keys.SIGNING_SECONDS - 1
    before = await token(keys, clock)
    clock.now += 1
    kids = [each["kid"] for each in json.loads(await keys.jwks())["keys"]]
    assert len(kids) == 2
    assert key_id(await token(keys, clock)) == key_id(before)  # others hear of a key before it signs
    clock.now += signing_keys.AHEAD_SECONDS
    after = await token(keys, clock)
    assert key_id(after) == kids[0]
    assert await holds(keys, before, clock.now)
    assert await holds(keys, after, clock.now)
    clock.now += signing_keys.OVERLAP_SECONDS
    assert [each["kid"] for each in json.loads(await keys.jwks())["keys"]] == kids[:1]
    assert not await holds(keys, before, clock.now - 3_600)


async def test_what_a_withdrawn_key_signed_holds_no_longer(tmp_path: Path, clock: SetClock) -> None:
    async with opened(tmp_path, clock) as one, opened(tmp_path, clock) as two:
        stolen = await token(one, clock)
        assert await holds(two, stolen, clock.now)
        await one.replace(withdraw=True)
        assert not await holds(one, stolen, clock.now)
        clock.now += signing_keys.RELOAD_SECONDS
        assert not await holds(two, stolen, clock.now)
        assert await holds(two, await token(one, clock), clock.now)


async def test_the_public_keys_hold_nothing_private_and_the_database_nothing_readable(
    tmp_path: Path, keys: SigningKeys
) -> None:
    (shown,) = json.loads(await keys.jwks())["keys"]
    assert set(shown) == {"kty", "crv", "x", "kid", "use", "alg"}
    url = sqlite_url(tmp_path / "a.sqlite")
    async with open_database(url, "llm_platform.auth_service.migrations") as engine, engine.connect() as connection:
        row = (await connection.execute(select(signing_keys.signing_keys))).mappings().one()
    assert '"d"' not in row["public"]
    assert "{" not in row["sealed"]


async def test_many_that_sign_at_once_make_one_key(keys: SigningKeys, clock: SetClock) -> None:
    assert len({key_id(text) for text in await asyncio.gather(*(token(keys, clock) for _ in range(20)))}) == 1


async def test_with_another_pepper_a_new_key_signs_and_the_old_tokens_hold(tmp_path: Path, clock: SetClock) -> None:
    async with opened(tmp_path, clock) as before:
        old = await token(before, clock)
    async with opened(tmp_path, clock, pepper=b"q" * 32) as after:
        assert await holds(after, await token(after, clock), clock.now)
        assert await holds(after, old, clock.now)
