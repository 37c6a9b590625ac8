"""What the tests of auth-service share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from llm_platform.auth_service.handover import Handover
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.service import AccountService
from llm_platform.auth_service.sessions.proof import PasswordProof
from llm_platform.auth_service.sessions.store import SessionStore
from llm_platform.auth_service.store import AccountStore
from llm_platform.core.actor import DEVELOPER, PLATFORM_ORGANIZATION, Actor, actor
from llm_platform.core.config.model import SignIn
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, sessions_pb2

OpenAccounts = Callable[[], AbstractAsyncContextManager[AccountService]]


class SetClock:
    """Seconds, as the test sets them."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def opener(url: str, folder: Path, clock: SetClock) -> OpenAccounts:
    """Opens the accounts in that database, as one more process would, with cheap password hashes."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[AccountService]:
        async with open_database(url, "llm_platform.auth_service.migrations") as engine:
            store = AccountStore(engine)
            revocations = Revocations(store)
            async with revocations.running():
                yield AccountService(
                    store,
                    revocations,
                    Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
                    pepper=b"p" * 32,
                    handover=Handover(folder / "first.json"),
                    clock=clock,
                )

    return opened


@contextmanager
def acting(user: accounts_pb2.User) -> Iterator[None]:
    """What runs in it is called by that user."""
    platform = user.organization_id == PLATFORM_ORGANIZATION
    kind = "service_account" if user.kind == "service_account" else "user"
    token = actor.set(Actor(user.user_id, user.name, kind, user.role, user.organization_id, platform))  # type: ignore[arg-type]
    try:
        yield
    finally:
        actor.reset(token)


@contextmanager
def refused(code: Code, param: str | None = None, says: str | None = None) -> Iterator[None]:
    with pytest.raises(PlatformError, match=says) as refusal:
        yield
    assert (refusal.value.code, param or refusal.value.param) == (code, refusal.value.param), refusal.value


async def ask(accounts: AccountService, *texts: str) -> list[accounts_pb2.AuthenticateReply]:
    return list((await accounts.authenticate(accounts_pb2.AuthenticateBatch(keys=texts))).items)


async def make_key(accounts: AccountService, **fields: object) -> accounts_pb2.CreatedKey:
    return await accounts.create_key(accounts_pb2.CreateKeyRequest(**({"name": "app"} | fields)))  # type: ignore[arg-type]


async def make_user(
    accounts: AccountService, name: str, role: str = DEVELOPER, organization: str = "", **fields: object
) -> accounts_pb2.User:
    request = accounts_pb2.CreateUserRequest(name=name, role=role, organization=organization, **fields)  # type: ignore[arg-type]
    return await accounts.create_user(request)


async def make_team(accounts: AccountService, name: str, *members: str, organization: str = "") -> accounts_pb2.Team:
    team = await accounts.create_team(accounts_pb2.CreateTeamRequest(name=name, organization=organization))
    for member in members:
        team = await accounts.add_team_member(accounts_pb2.TeamMember(team=team.team_id, user=member))
    return team


async def proved(accounts: AccountService, name: str, password: str) -> accounts_pb2.User:
    """Whose name and password these are, as signing in finds out."""
    origin, store = sessions_pb2.Origin(), SessionStore(accounts._database)
    common = {"pepper": b"p" * 32, "settings": SignIn(), "refused": [].append, "clock": accounts._clock}
    proof = PasswordProof(store, accounts._passwords, **common)  # type: ignore[arg-type]
    counted = proof.subjects(name, origin)
    return (await proof.account("Sessions/Login", name, password, origin, counted)).user


async def until(condition: Callable[[], object]) -> None:
    """Returns once the condition holds; fails after five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is looked at tells nobody when it changes
            await asyncio.sleep(0.001)
