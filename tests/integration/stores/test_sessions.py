"""What signing in promises, on every database it can be kept in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from argon2 import PasswordHasher
from prometheus_client import REGISTRY
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.auth_service.audit.refusals import Refusals
from llm_platform.auth_service.audit.service import AuditService
from llm_platform.auth_service.audit.store import AuditStore
from llm_platform.auth_service.database import AccountDatabase
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.schema import organizations, users
from llm_platform.auth_service.sessions import service as services
from llm_platform.auth_service.sessions.lockout import FIRST_LOCK_SECONDS, LONGEST_LOCK_SECONDS
from llm_platform.auth_service.sessions.rules import actor_of
from llm_platform.auth_service.sessions.schema import login_failures, sessions
from llm_platform.auth_service.sessions.service import SessionService
from llm_platform.auth_service.sessions.signing_keys import SigningKeys
from llm_platform.auth_service.sessions.store import SessionStore
from llm_platform.core.actor import Actor, actor
from llm_platform.core.actor_token import verify
from llm_platform.core.config.model import SignIn
from llm_platform.core.database import open_database
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, audit_pb2, common_pb2, sessions_pb2
from tests.unit.billing.conftest import Clock

PASSWORD = "correct horse 零 battery"
NEW = "another horse 零 battery"
HERE = sessions_pb2.Origin(address="192.0.2.7", client="Firefox\n1")
SETTINGS = SignIn(lock_after=3, lock_source_after=10)


class Keys:
    """API keys: what each is said to belong to."""

    def __init__(self) -> None:
        self.known: dict[str, common_pb2.Principal] = {}

    async def authenticate(self, request: accounts_pb2.AuthenticateBatch) -> accounts_pb2.AuthenticateReplies:
        found = [self.known.get(key) for key in request.keys]
        return accounts_pb2.AuthenticateReplies(
            items=[accounts_pb2.AuthenticateReply(principal=each, refusal="" if each else "unknown") for each in found]
        )


class Interrupted(Passwords):
    """Runs ``meanwhile`` once after a password was found to be right, before anybody hears of it."""

    meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def verify(self, encoded: str | None, password: str) -> bool:
        right = await super().verify(encoded, password)
        if right and (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()
        return right


class World:
    """One process of auth-service."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.database = AccountDatabase(engine)
        self.audit = AuditService(AuditStore(engine), clock)
        self.refusals = Refusals(self.audit.write)
        self.keys = Keys()
        self.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.passwords = Interrupted(self.hasher)
        self.service = SessionService(
            SessionStore(self.database),
            SigningKeys(engine, b"p" * 32, "prod.example", clock),
            self.keys,
            self.passwords,
            pepper=b"p" * 32,
            settings=SETTINGS,
            refused=self.refusals.note,
            clock=clock,
        )

    async def add(self, name: str, **columns: Any) -> str:
        row = {
            "user_id": f"usr_{name}",
            "name": name,
            "role": "user",
            "organization_role": "developer",
            "created_at": 0,
            "password_hash": self.hasher.hash(PASSWORD),
            "organization_id": "org_a",
        }
        async with self.engine.begin() as connection:
            await connection.execute(insert(users).values(row | columns))
        return f"usr_{name}"

    async def add_organization(self, organization_id: str) -> None:
        row = {"organization_id": organization_id, "name": organization_id, "folded": organization_id, "created_at": 0}
        async with self.engine.begin() as connection:
            await connection.execute(insert(organizations).values(row))

    async def change(self, user: str, /, **columns: Any) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(update(users).where(users.c.user_id == f"usr_{user}").values(columns))

    async def login(self, name: str = "zoe", password: str = PASSWORD, address: str = "192.0.2.7") -> str:
        origin = sessions_pb2.Origin(address=address, client="Firefox\n1")
        request = sessions_pb2.PasswordLogin(name=name, password=password, origin=origin)
        return (await self.service.login(request)).token

    async def refused(self, name: str = "zoe", password: str = "wrong", address: str = "192.0.2.7") -> PlatformError:
        with pytest.raises(PlatformError) as refused:
            await self.login(name, password, address)
        return refused.value

    async def token(self, session: str) -> sessions_pb2.ActorToken:
        return await self.service.token(sessions_pb2.SessionToken(token=session))

    async def ended(self, session: str) -> bool:
        with pytest.raises(PlatformError) as refused:
            await self.token(session)
        return refused.value.code is Code.UNAUTHENTICATED

    async def audited(self, **wanted: str) -> list[tuple[str, str, str, str, int]]:
        await self.refusals.flush()
        entries = (await self.audit.list(audit_pb2.ListAuditRequest(**wanted))).items  # type: ignore[arg-type]
        return [(each.action, each.actor_id, each.target, each.result, each.repeated) for each in entries]


@asynccontextmanager
async def opened(database: str, clock: Clock) -> AsyncIterator[World]:
    async with open_database(database, "llm_platform.auth_service.migrations") as engine:
        yield World(engine, clock)


@pytest.fixture
async def world(database: str, clock: Clock) -> AsyncIterator[World]:
    async with opened(database, clock) as world:
        await world.add("zoe")
        yield world


class acting:  # noqa: N801 - reads as a word
    """Within the block this user acts."""

    def __init__(self, role: str, organization: str = "org_a", user_id: str = "usr_other") -> None:
        platform = organization == "org_platform"
        self._actor = Actor(user_id, "x", "user", role, organization, platform=platform)

    def __enter__(self) -> None:
        self._before = actor.set(self._actor)

    def __exit__(self, *exc: object) -> None:
        actor.reset(self._before)


async def test_a_session_gives_tokens_that_say_who_acts_with_the_role_of_now(world: World) -> None:
    session = await world.login()
    given = await world.token(session)
    claims = await verify(given.token, world.service.keys.find, "prod.example", world.clock())
    assert claims.actor == Actor("usr_zoe", "zoe", "user", "developer", "org_a", platform=False)
    assert claims.session_id.startswith("ses_")
    await world.change("zoe", organization_role="admin", organization_id="org_platform")
    again = await world.token(session)
    assert (again.role, again.platform) == ("admin", True)


async def test_the_database_holds_no_token_and_a_copy_of_it_no_way_in(world: World) -> None:
    session = await world.login()
    async with world.engine.connect() as connection:
        row = (await connection.execute(select(sessions))).mappings().one()
    assert session not in str(dict(row))
    assert (row["source"], row["client"]) == ("192.0.2.7", "Firefox 1")
    for wrong in (row["digest"], session[:-1], session + "x", session[:-1] + "é", "", session.upper()):
        assert await world.ended(wrong)


async def test_a_session_ends_when_it_is_not_used_and_after_its_longest_time(world: World) -> None:
    idle, busy = await world.login(), await world.login()
    for _ in range(SETTINGS.session_seconds // (SETTINGS.session_idle_seconds - 1)):
        world.clock.now += SETTINGS.session_idle_seconds - 1
        await world.token(busy)
    assert await world.ended(idle)
    world.clock.now += SETTINGS.session_idle_seconds - 1
    assert await world.ended(busy)


@pytest.mark.parametrize("column", ["disabled_at", "deleted_at"])
async def test_whoever_is_disabled_is_out_at_once_and_cannot_come_in(world: World, column: str) -> None:
    session = await world.login()
    await world.change("zoe", **{column: 1})
    assert await world.ended(session)
    assert (await world.refused(password=PASSWORD)).message == (await world.refused("nobody")).message


@pytest.mark.case(26)
async def test_an_unknown_name_is_answered_like_a_wrong_password_and_locked_like_it(world: World) -> None:
    await world.add("keyless", password_hash="")
    answers = {}
    for name in ("zoe", "nobody", "keyless", "' OR 1=1 --", "a\0b", "零" * 2_000):
        answers[name] = [await world.refused(name, address="") for _ in range(4)]
    told = {name: [(each.code, each.message, each.retry_after) for each in errors] for name, errors in answers.items()}
    assert len({str(each) for each in told.values()}) == 1, told
    codes = [code for code, _, _ in told["zoe"]]
    assert codes == [Code.UNAUTHENTICATED] * 3 + [Code.RATE_LIMITED]


async def test_each_failure_after_some_locks_the_account_for_twice_as_long_whoever_tries(world: World) -> None:
    for _ in range(3):
        assert (await world.refused()).code is Code.UNAUTHENTICATED
    waits = []
    for _ in range(7):
        locked = await world.refused(password=PASSWORD, address="198.51.100.1")
        assert locked.code is Code.RATE_LIMITED
        assert locked.retry_after is not None
        waits.append(locked.retry_after)
        world.clock.now += locked.retry_after
        assert (await world.refused(address="198.51.100.1")).code is Code.UNAUTHENTICATED
    assert waits == [min(FIRST_LOCK_SECONDS * 2**n, LONGEST_LOCK_SECONDS) for n in range(7)]
    world.clock.now += LONGEST_LOCK_SECONDS
    assert await world.login()
    assert (await world.refused()).code is Code.UNAUTHENTICATED  # begins anew


async def test_an_address_that_tries_many_names_is_locked_and_others_are_not(world: World) -> None:
    for number in range(10):
        assert (await world.refused(f"name{number}", address="2001:db8::1")).code is Code.UNAUTHENTICATED
    assert (await world.refused("zoe", PASSWORD, "2001:db8::ffff")).code is Code.RATE_LIMITED  # the same /64
    assert await world.login(address="2001:db8:0:1::1")
    with pytest.raises(PlatformError, match="IP address"):
        await world.login(address="elsewhere")


async def test_attempts_at_the_same_time_do_not_slip_through(database: str, clock: Clock) -> None:
    async with opened(database, clock) as one, opened(database, clock) as two:
        await one.add("zoe")
        errors = await asyncio.gather(*(each.refused(address="") for each in (one, two) * 6))
    assert [error.code for error in errors].count(Code.UNAUTHENTICATED) == 3
    assert {error.code for error in errors} == {Code.UNAUTHENTICATED, Code.RATE_LIMITED}


async def test_what_is_typed_as_a_name_is_kept_nowhere(world: World) -> None:
    typed = "my secret password"
    await world.refused(typed)
    async with world.engine.connect() as connection:
        kept = str((await connection.execute(select(login_failures))).all())
    assert typed not in kept + str(await world.audited())


async def test_logging_out_ends_the_session_for_good(world: World) -> None:
    session, other = await world.login(), await world.login()
    for _ in range(2):
        await world.service.logout(sessions_pb2.SessionToken(token=session))
    await world.service.logout(sessions_pb2.SessionToken(token="nonsense"))
    assert await world.ended(session)
    assert await world.token(other)


async def change(world: World, session: str, old: str = PASSWORD, new: str = NEW) -> None:
    request = sessions_pb2.ChangePasswordRequest(token=session, old_password=old, new_password=new, origin=HERE)
    await world.service.change_password(request)


async def test_a_new_password_ends_the_other_sessions(world: World) -> None:
    here, there = await world.login(), await world.login()
    await change(world, here)
    assert await world.token(here)
    assert await world.ended(there)
    assert (await world.refused(password=PASSWORD)).code is Code.UNAUTHENTICATED
    assert await world.login(password=NEW)


@pytest.mark.parametrize(
    "new", ["short", PASSWORD, "aaaaaaaabbbbbbbb", "my name is Zoe, ok", "qwertyuiopasdf", "x" * 2_000]
)
async def test_a_password_that_is_easy_to_guess_is_refused_and_changes_nothing(world: World, new: str) -> None:
    await world.change("zoe", name="name is zoe")
    session = await world.login("name is zoe")
    with pytest.raises(PlatformError) as refused:
        await change(world, session, new=new)
    assert refused.value.code is Code.INVALID_REQUEST
    assert new not in refused.value.message
    assert await world.login("name is zoe")


async def test_a_stolen_session_cannot_guess_the_password_either(world: World) -> None:
    session = await world.login()
    codes = []
    for _ in range(4):
        with pytest.raises(PlatformError) as refused:
            await change(world, session, old="guess")
        codes.append(refused.value.code)
    assert codes == [Code.UNAUTHENTICATED] * 3 + [Code.RATE_LIMITED]


async def reset(world: World, user: str = "zoe") -> sessions_pb2.OneTimePassword:
    return await world.service.reset_password(sessions_pb2.ResetPasswordRequest(user=user))


async def test_a_reset_unlocks_ends_sessions_and_its_password_opens_nothing_but_its_change(world: World) -> None:
    session = await world.login()
    for _ in range(4):
        await world.refused(address="")
    with acting("admin"):
        one_time = await reset(world)
    assert await world.ended(session)
    request = sessions_pb2.PasswordLogin(name="zoe", password=one_time.password)
    signed_in = await world.service.login(request)
    assert signed_in.must_change_password
    with pytest.raises(PlatformError, match="Change the password first"):
        await world.token(signed_in.token)
    await change(world, signed_in.token, old=one_time.password)
    assert (await world.token(signed_in.token)).user_id == "usr_zoe"


@pytest.mark.parametrize("outdated", [False, True])
async def test_a_login_under_way_does_not_survive_a_reset_nor_bring_the_old_password_back(
    world: World, outdated: bool
) -> None:
    if outdated:
        old = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1)
        await world.change("zoe", password_hash=old.hash(PASSWORD))
    one_time = []

    async def meanwhile() -> None:
        one_time.append(await reset(world))

    world.passwords.meanwhile = meanwhile
    assert (await world.refused(password=PASSWORD)).code is Code.UNAUTHENTICATED
    assert await listed(world, "usr_zoe") == []
    assert (await world.refused(password=PASSWORD)).code is Code.UNAUTHENTICATED
    assert await world.login(password=one_time[0].password)


async def test_a_login_under_way_does_not_survive_that_the_user_is_disabled(world: World) -> None:
    account = await SessionStore(world.database).account(name="zoe")
    assert account is not None
    world.passwords.meanwhile = lambda: world.change("zoe", disabled_at=1)
    assert (await world.refused(password=PASSWORD)).code is Code.UNAUTHENTICATED
    assert await world.service._begin(account, "oidc", HERE) is None
    await world.change("zoe", disabled_at=None)
    assert await listed(world, "usr_zoe") == []


async def test_a_change_under_way_does_not_undo_a_reset(world: World) -> None:
    session = await world.login()
    one_time = []

    async def meanwhile() -> None:
        one_time.append(await reset(world))

    world.passwords.meanwhile = meanwhile
    with pytest.raises(PlatformError) as refused:
        await change(world, session)
    assert refused.value.code is Code.UNAUTHENTICATED
    assert (await world.refused(password=NEW)).code is Code.UNAUTHENTICATED
    assert await world.login(password=one_time[0].password)


async def test_an_outdated_hash_is_made_anew_at_a_login(world: World) -> None:
    await world.change("zoe", password_hash=PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD))
    for _ in range(2):
        assert await world.login()
    async with world.engine.connect() as connection:
        kept = (await connection.execute(select(users.c.password_hash))).scalar_one()
    assert not world.passwords.is_outdated(kept)


async def test_a_reset_password_does_not_shut_out_who_signs_in_at_an_identity_provider(world: World) -> None:
    await reset(world)
    account = await SessionStore(world.database).account(name="zoe")
    assert account is not None
    signed_in = await world.service._begin(account, "oidc", HERE)
    assert signed_in is not None
    assert (await world.token(signed_in.token)).user_id == "usr_zoe"


async def test_a_password_for_one_login_is_of_no_use_after_a_day(world: World) -> None:
    with acting("owner"):
        one_time = await reset(world)
    world.clock.now += services.ONE_TIME_SECONDS
    assert (await world.refused(password=one_time.password)).code is Code.UNAUTHENTICATED


@pytest.mark.case(23)
async def test_only_those_who_administer_somebody_reset_and_end(world: World) -> None:
    await world.add("boss", organization_role="owner")
    await world.add("robot", kind="service_account")
    session = await world.login()
    for who in (acting("developer"), acting("read_only"), acting("billing_viewer"), acting("owner", "org_b")):
        for work in (reset(world), end(world, user="usr_zoe"), listed(world, "usr_zoe")):
            with who, pytest.raises(PlatformError) as refused:
                await work
            assert refused.value.code is Code.NOT_FOUND
    bosses = await world.login("boss")
    for who in (acting("admin"), acting("admin", "org_platform")):  # no admin acts on an owner, wherever that is
        for work in (reset(world, "boss"), end(world, user="usr_boss"), listed(world, "usr_boss")):
            with who, pytest.raises(PlatformError, match="Only an owner") as refused:
                await work
            assert refused.value.code is Code.PERMISSION_DENIED
    assert await world.token(bosses)
    with acting("owner"), pytest.raises(PlatformError, match="service account"):
        await reset(world, "robot")
    assert await world.token(session)
    with acting("admin", "org_platform"):
        assert len(await listed(world, "usr_zoe")) == 1
        await reset(world)
    assert await world.ended(session)


@pytest.mark.parametrize("who", [("developer", "org_a"), ("owner", "org_a"), ("admin", "org_platform")])
async def test_nobody_resets_their_own_password_whose_old_one_they_may_not_know(
    world: World, who: tuple[str, str]
) -> None:
    role, organization = who
    await world.change("zoe", organization_role=role, organization_id=organization)
    session = await world.login()
    for name in ("zoe", "usr_zoe"):
        with acting(role, organization, "usr_zoe"), pytest.raises(PlatformError, match="with the old one") as refused:
            await reset(world, name)
        assert refused.value.code is Code.PERMISSION_DENIED
    assert await world.token(session)
    assert await world.login()


async def listed(world: World, user: str = "") -> list[sessions_pb2.Session]:
    return list((await world.service.list(sessions_pb2.ListSessionsRequest(user=user))).items)


async def end(world: World, session_id: str = "", user: str = "") -> int:
    return (await world.service.end(sessions_pb2.EndSessionsRequest(session_id=session_id, user=user))).sessions


async def test_sessions_are_listed_and_ended_one_or_all(world: World) -> None:
    tokens = [await world.login() for _ in range(3)]
    with acting("developer", user_id="usr_zoe"):
        shown = await listed(world)
        assert [(each.user_id, each.method, each.origin.address) for each in shown] == [
            ("usr_zoe", "password", "192.0.2.7")
        ] * 3
        assert await end(world, session_id=shown[0].session_id) == 1
        assert await end(world, session_id=shown[0].session_id) == 0
        assert len(await listed(world)) == 2
        assert await end(world, user="usr_zoe") == 2
        assert await listed(world) == []
        with pytest.raises(PlatformError, match="Name a session or a user"):
            await end(world)
    assert all([await world.ended(token) for token in tokens])


async def test_a_service_account_gets_a_token_by_its_key_within_what_the_key_may(world: World) -> None:
    await world.add("robot", kind="service_account", password_hash="")
    principal = common_pb2.Principal(user_id="usr_robot", key_id="k1")
    world.keys.known = {
        "good": principal,
        "person's": common_pb2.Principal(user_id="usr_zoe"),
        "entries": common_pb2.Principal(user_id="usr_robot", allowed_entries=["tail"]),
        "ranged": common_pb2.Principal(user_id="usr_robot", ip_ranges=["192.0.2.0/24"]),
        "gone": common_pb2.Principal(user_id="usr_gone"),
    }

    async def ask(key: str, address: str = "198.51.100.1") -> Code | str:
        origin = sessions_pb2.Origin(address=address)
        try:
            given = await world.service.program_token(sessions_pb2.ApiKeyLogin(key=key, origin=origin))
        except PlatformError as error:
            return error.code
        claims = await verify(given.token, world.service.keys.find, "prod.example", world.clock())
        return f"{claims.actor.kind} {claims.actor.id}"

    assert await ask("good") == "service_account usr_robot"
    for address in ("192.0.2.9", "::ffff:192.0.2.9"):  # the same, as a socket for both versions shows it
        assert await ask("ranged", address) == "service_account usr_robot"
    for key in ("person's", "entries", "ranged"):
        assert await ask(key) is Code.PERMISSION_DENIED
    for key in ("gone", "unheard of"):
        assert await ask(key) is Code.UNAUTHENTICATED


async def test_logins_refusals_and_resets_stand_in_the_audit_log_and_the_metrics(world: World) -> None:
    def counted(result: str) -> float:
        return REGISTRY.get_sample_value("llm_logins_total", {"method": "password", "result": result}) or 0

    before = [counted(result) for result in ("ok", "refused", "locked")]
    await world.login()
    for _ in range(4):
        await world.refused()
    await world.refused("nobody")
    with acting("owner"):
        await reset(world)
    assert [counted(result) for result in ("ok", "refused", "locked")] == [
        each + n for each, n in zip(before, (1, 4, 1), strict=True)
    ]
    assert sorted(await world.audited()) == [
        ("Sessions/Login", "", "", "refused", 1),
        ("Sessions/Login", "", "usr_zoe", "refused", 1),  # locked
        ("Sessions/Login", "", "usr_zoe", "refused", 3),
        ("Sessions/Login", "usr_zoe", "usr_zoe", "ok", 1),
        ("Sessions/ResetPassword", "usr_other", "usr_zoe", "ok", 1),
    ]


async def test_the_owner_of_an_organisation_sees_whose_logins_and_changes_were_refused(world: World) -> None:
    session = await world.login()
    await world.refused()
    for _ in range(2):
        with pytest.raises(PlatformError):
            await change(world, session, old="guess")
    await world.refused(password=PASSWORD)  # locked
    await world.refused("nobody")
    with acting("owner"):
        told = await world.audited(result="refused")
    assert sorted(told) == [
        ("Sessions/ChangePassword", "", "usr_zoe", "refused", 2),
        ("Sessions/Login", "", "usr_zoe", "refused", 1),
        ("Sessions/Login", "", "usr_zoe", "refused", 1),
    ]


async def test_a_key_that_is_replaced_by_the_operator_stands_in_the_audit_log(world: World) -> None:
    await world.service.replace_signing_key(sessions_pb2.ReplaceSigningKeyRequest(withdraw=True))
    assert [entry[:2] for entry in await world.audited()] == [("Sessions/ReplaceSigningKey", "operator")]


async def test_the_role_of_a_user_is_the_platforms_only_in_its_organisation() -> None:
    for organization, platform in (("org_platform", True), ("org_a", False), ("", False)):
        user = accounts_pb2.User(user_id="usr_1", role="owner", organization_id=organization)
        assert actor_of(user).platform is platform
