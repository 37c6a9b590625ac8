"""Whom an identity of a provider turns out to be, and what becomes of users' sessions, on every database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from llm_platform.auth_service.names import fold
from llm_platform.auth_service.schema import revocation_counter, users
from llm_platform.auth_service.service import AccountService
from llm_platform.auth_service.sessions.identities import Identities
from llm_platform.auth_service.sessions.schema import identities, password_states
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2
from tests.integration.stores.test_sessions import World, acting, opened, reset
from tests.unit.auth_service.parts import SetClock, opener
from tests.unit.billing.conftest import Clock

ISSUER = "https://id.example"


class People(World):
    """auth-service, and the identities of a provider."""

    accounts: AccountService

    def __init__(self, world: World) -> None:
        super().__init__(world.engine, world.clock)
        self.identities = Identities(self.database, b"p" * 32)

    async def known(self, subject: str, role: str = "") -> str | None:
        return await self.identities.user_of(ISSUER, subject, role, 2_000)

    async def new(self, subject: str, name: str, organization: str = "org_a", role: str = "developer") -> str:
        return await self.identities.add_user(ISSUER, subject, name, role, organization, 1_000)

    async def row(self, user_id: str) -> dict[str, Any]:
        async with self.engine.connect() as connection:
            found = await connection.execute(select(users).where(users.c.user_id == user_id))
            return dict(found.mappings().one())

    async def count(self, query: Any) -> int:
        async with self.engine.connect() as connection:
            return int((await connection.execute(query)).scalar_one())


@pytest.fixture
async def people(database: str, clock: Clock, tmp_path: Path) -> AsyncIterator[People]:
    async with opened(database, clock) as world, opener(database, tmp_path, SetClock(5_000))() as accounts:
        people = People(world)
        people.accounts = accounts
        await people.add_organization("org_a")
        yield people


async def test_groups_do_not_leave_an_organisation_without_an_owner(people: People) -> None:
    user_id = await people.new("s1", "ada", role="owner")
    assert await people.known("s1", "developer") == user_id
    assert (await people.row(user_id))["organization_role"] == "owner"
    with acting("owner"):  # of its organisation
        assert await people.audited(result="refused") == [("Accounts/UpdateUser", "operator", user_id, "refused", 1)]
    await people.add("boss", organization_role="owner")
    assert await people.known("s1", "developer") == user_id
    assert (await people.row(user_id))["organization_role"] == "developer"
    with acting("owner"):
        assert ("Accounts/UpdateUser", "operator", user_id, "ok", 1) in await people.audited(result="ok")


async def test_groups_change_nothing_of_a_disabled_user(people: People) -> None:
    user_id = await people.new("s1", "ada")
    async with people.engine.begin() as connection:
        await connection.execute(update(users).where(users.c.user_id == user_id).values(disabled_at=1))
    before = await people.row(user_id)
    assert await people.known("s1", "admin") == user_id
    assert await people.row(user_id) == before


async def test_a_login_that_changes_nothing_waits_for_no_change_of_accounts(people: People) -> None:
    user_id = await people.new("s1", "ada")
    counter = select(func.max(revocation_counter.c.value))
    before = await people.count(counter)
    assert await people.known("s1", "developer") == user_id
    assert await people.count(counter) == before
    assert await people.known("s1", "admin") == user_id
    assert await people.count(counter) == before + 1
    assert (await people.row(user_id))["change"] == before + 1


async def test_new_users_have_names_as_all_have(people: People) -> None:
    user_id = await people.new("s1", "Zoe\N{COMBINING DIAERESIS}")
    row = await people.row(user_id)
    assert (row["name"], row["folded"]) == ("Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}", fold(row["name"]))
    other = await people.row(await people.new("s2", "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"))
    assert other["name"].startswith(f"{row['name']}-")
    assert other["folded"] == fold(other["name"])
    with pytest.raises(PlatformError) as refused:
        await people.new("s3", "two words")
    assert refused.value.code is Code.INVALID_REQUEST


async def test_nobody_becomes_a_user_of_an_organisation_that_is_not_there(people: People) -> None:
    with pytest.raises(PlatformError, match=r"oidc\.organization") as refused:
        await people.new("s1", "ada", "org_gone")
    assert refused.value.code is Code.PERMISSION_DENIED
    assert await people.count(select(func.count()).select_from(users)) == 0


async def test_two_first_logins_at_once_make_one_user(people: People) -> None:
    made = await asyncio.gather(*(people.new("s1", "ada") for _ in range(4)))
    assert len(set(made)) == 1
    assert await people.count(select(func.count()).select_from(users)) == 1


async def test_a_deleted_user_leaves_no_identity_and_who_comes_again_is_somebody_new(people: People) -> None:
    user_id = await people.new("s1", "ada")
    await reset(people, user_id)
    await people.accounts.delete_user(accounts_pb2.UserName(user=user_id))
    for table in (identities, password_states):
        assert await people.count(select(func.count()).select_from(table)) == 0
    assert await people.known("s1") is None
    assert await people.new("s1", "ada") != user_id


async def test_an_identity_that_the_release_before_left_behind_is_nobodys(people: People) -> None:
    gone = await people.add("gone", deleted_at=1)
    row = {"issuer": ISSUER, "subject": "s1", "user_id": gone, "created_at": 0, "used_at": 0}
    async with people.engine.begin() as connection:
        await connection.execute(insert(identities).values(row))
    assert await people.known("s1", "owner") is None
    user_id = await people.new("s1", "ada")
    assert user_id != gone
    assert await people.known("s1") == user_id


@pytest.mark.parametrize("deleted", [False, True])
async def test_sessions_of_whoever_is_disabled_or_deleted_end_for_good(people: People, deleted: bool) -> None:
    await people.add("zoe")
    session = await people.login()
    if deleted:
        await people.accounts.delete_user(accounts_pb2.UserName(user="zoe"))
        await people.change("zoe", deleted_at=None)
    else:
        for disabled in (True, False):
            etag = (await people.accounts.get_user(accounts_pb2.UserName(user="zoe"))).etag
            await people.accounts.update_user(accounts_pb2.UpdateUserRequest(user="zoe", etag=etag, disabled=disabled))
        assert await people.login()
    assert await people.ended(session)
