"""A dashboard calls on behalf of people, whose tokens are checked with the keys of a real auth-service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest

from llm_platform.auth_service.app import open_auth_service
from llm_platform.auth_service.audit.interfaces import AUDIT
from llm_platform.auth_service.interfaces import ACCOUNTS
from llm_platform.auth_service.sessions.interfaces import SESSIONS
from llm_platform.billing.interfaces import LEDGER
from llm_platform.core import catalog as catalogs
from llm_platform.core.actor import Actor, actor
from llm_platform.core.actor_token import Claims
from llm_platform.core.config import Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, audit_pb2, common_pb2, ledger_pb2, secrets_pb2, sessions_pb2
from llm_platform.rpc.client import Peers
from llm_platform.rpc.on_behalf import on_behalf_of
from llm_platform.rpc.trail import Trail
from llm_platform.secrets_service.interfaces import SECRETS
from tests.integration.rpc.conftest import TRUST_DOMAIN, Everything, Issuer, Site, person

PATIENCE = 60.0
"""Seconds: passwords are hashed in earnest, which takes its time on a busy machine."""


class Billing(Everything):
    def __init__(self) -> None:
        super().__init__(common_pb2.Empty())
        self.actors: list[Actor] = []

    async def set_budget(self, _request: ledger_pb2.Budget) -> ledger_pb2.Budget:
        self.actors.append(actor.get())
        return ledger_pb2.Budget()


class Failing(Everything):
    async def set_budget(self, request: ledger_pb2.Budget) -> ledger_pb2.Budget:
        if request.key_id == "broken":
            raise PlatformError(Code.UNAVAILABLE, "down")
        return request


class Watched(Everything):
    """Secrets whose watch never ends."""

    async def watch(self, _request: secrets_pb2.ListSecretsRequest) -> AsyncIterator[secrets_pb2.SecretInfo]:
        yield secrets_pb2.SecretInfo()
        await asyncio.Event().wait()


async def test_the_keys_come_from_auth_service_and_calls_at_once_do_not_mix_their_people(site: Site) -> None:
    config = site.config("auth-service")
    config = config.model_copy(update={"service": Service(name="auth-service", data_dir=site.directory / "data")})
    billing = Billing()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_auth_service(config))
        assert opened.sessions.keys.audience == TRUST_DOMAIN
        auth = await stack.enter_async_context(
            site.serving(
                "auth-service",
                *((ACCOUNTS, opened.accounts), (SESSIONS, opened.sessions)),
                keys=opened.sessions.keys,
            )
        )
        serving = await stack.enter_async_context(site.serving("billing", (LEDGER, billing), auth_service=[auth.port]))
        peers = await stack.enter_async_context(Peers(site.config("admin-dashboard", billing=[serving.port])))
        ledger = peers.remote(LEDGER)

        async def set_budget(who: Actor) -> Code | None:
            token = await opened.sessions.keys.sign(Claims(who, "ses_1", int(time.time()) + 300))
            with on_behalf_of(token):
                try:
                    await ledger.set_budget(ledger_pb2.Budget())
                except PlatformError as error:
                    return error.code
            return None

        owners = [person("owner", platform=True)._replace(id=f"usr_{number}") for number in range(20)]
        viewers = [person("read_only", platform=True), person("owner")] * 5
        answers = await asyncio.gather(*(set_budget(who) for who in [*owners, *viewers]))
        assert answers == [None] * 20 + [Code.PERMISSION_DENIED] * 10
        assert sorted(billing.actors) == sorted(owners)
        with pytest.raises(PlatformError, match="somebody who has signed in") as refused:
            await ledger.set_budget(ledger_pb2.Budget())
        assert refused.value.code is Code.UNAUTHENTICATED


async def test_without_a_way_to_auth_service_nobody_is_believed(site: Site) -> None:
    async with (
        site.serving("billing", (LEDGER, Billing())) as serving,
        Peers(site.config("admin-dashboard", billing=[serving.port])) as peers,
    ):
        with on_behalf_of(Issuer().token(person("owner", platform=True))), pytest.raises(PlatformError) as refused:
            await peers.remote(LEDGER).set_budget(ledger_pb2.Budget())
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_stream_ends_with_the_token_it_was_begun_with(site: Site) -> None:
    issuer = Issuer()
    async with (
        site.serving("secrets-service", (SECRETS, Watched()), keys=issuer) as serving,
        Peers(site.config("admin-dashboard", secrets_service=[serving.port])) as peers,
    ):
        with on_behalf_of(issuer.token(person("admin", platform=True), seconds=2)):
            watch = peers.remote(SECRETS).watch(secrets_pb2.ListSecretsRequest())
            await anext(watch)
        async with asyncio.timeout(10):
            with pytest.raises(PlatformError, match="token of whoever signed in has expired") as ended:
                await anext(watch)
    assert ended.value.code is Code.UNAUTHENTICATED


async def test_what_people_do_and_what_is_refused_stands_in_the_audit_log_of_auth_service(site: Site) -> None:
    config = site.config("auth-service")
    config = config.model_copy(update={"service": Service(name="auth-service", data_dir=site.directory / "data")})
    token = Issuer().token
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_auth_service(config))
        served = ((AUDIT, opened.audit), (SESSIONS, opened.sessions))
        auth = await stack.enter_async_context(
            site.serving("auth-service", *served, keys=opened.sessions.keys, trail=Trail(opened.refusals))
        )
        billing = await stack.enter_async_context(
            site.serving("billing", (LEDGER, Failing()), auth_service=[auth.port])
        )
        ports = {"billing": [billing.port], "auth_service": [auth.port]}
        dashboard = await stack.enter_async_context(Peers(site.config("admin-dashboard", **ports)))
        operator = await stack.enter_async_context(Peers(site.config("operator", **ports)))

        async def set_budget(peers: Peers, who: Actor | None, key_id: str) -> None:
            token = await opened.sessions.keys.sign(Claims(who, "ses_1", int(time.time()) + 300)) if who else ""
            with on_behalf_of(token), suppress(PlatformError):
                await peers.remote(LEDGER).set_budget(ledger_pb2.Budget(key_id=key_id))

        await set_budget(operator, None, "k1")
        await set_budget(dashboard, person("owner", platform=True), "k2")
        await set_budget(dashboard, person("owner", platform=True), "broken")
        await set_budget(dashboard, person("developer"), "k3")
        await set_budget(dashboard, None, "k4")
        with on_behalf_of(token(person("owner"))), suppress(PlatformError):
            await dashboard.remote(AUDIT).list(audit_pb2.ListAuditRequest())
        await billing.stop()
        await opened.refusals.flush()
        entries = (await operator.remote(AUDIT).list(audit_pb2.ListAuditRequest())).items
    told = {(each.service, each.actor_id, each.action, each.target, each.result) for each in entries}
    assert told == {
        ("billing", "operator", "Ledger/SetBudget", "k1", "ok"),
        ("billing", "usr_1", "Ledger/SetBudget", "k2", "ok"),
        ("billing", "usr_1", "Ledger/SetBudget", "broken", "failed"),
        ("billing", "usr_1", "Ledger/SetBudget", "", "refused"),
        ("billing", "", "Ledger/SetBudget", "", "refused"),
        ("auth-service", "", "Audit/List", "", "refused"),
    }


async def test_somebody_signs_in_at_a_dashboard_and_acts_with_the_role_of_the_account(site: Site) -> None:
    config = site.config("auth-service")
    config = config.model_copy(update={"service": Service(name="auth-service", data_dir=site.directory / "data")})
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_auth_service(config))
        served = ((ACCOUNTS, opened.accounts), (AUDIT, opened.audit), (SESSIONS, opened.sessions))
        auth = await stack.enter_async_context(
            site.serving("auth-service", *served, keys=opened.sessions.keys, trail=opened.trail(catalogs.load()))
        )
        dashboard = await stack.enter_async_context(Peers(site.config("admin-dashboard", auth_service=[auth.port])))
        operator = await stack.enter_async_context(Peers(site.config("operator", auth_service=[auth.port])))
        made = await operator.remote(ACCOUNTS, PATIENCE).bootstrap(accounts_pb2.BootstrapRequest())
        sessions, accounts = dashboard.remote(SESSIONS, PATIENCE), dashboard.remote(ACCOUNTS, PATIENCE)

        async def sign_in(name: str, password: str) -> str:
            signed_in = await sessions.login(sessions_pb2.PasswordLogin(name=name, password=password))
            return (await sessions.token(sessions_pb2.SessionToken(token=signed_in.token))).token

        with on_behalf_of(await sign_in("admin", made.password)):
            create = accounts_pb2.CreateUserRequest(name="zoe", role="developer", password="correct horse battery")
            await accounts.create_user(create)
        zoe = await sign_in("zoe", "correct horse battery")
        with on_behalf_of(zoe):
            assert [key.name for key in (await accounts.list_keys(accounts_pb2.ListKeysRequest())).items] == []
            with pytest.raises(PlatformError) as refused:
                await accounts.create_user(accounts_pb2.CreateUserRequest(name="eve", role="owner"))
        assert refused.value.code is Code.PERMISSION_DENIED
        with on_behalf_of(await sign_in("admin", made.password)):
            create = accounts_pb2.CreateUserRequest(name="eva", role="admin", password="correct horse battery")
            await accounts.create_user(create)
        with on_behalf_of(await sign_in("eva", "correct horse battery")), pytest.raises(PlatformError) as refused:
            await accounts.create_user(accounts_pb2.CreateUserRequest(name="eve", role="owner"))
        assert refused.value.code is Code.PERMISSION_DENIED
        await opened.refusals.flush()
        denied = (await operator.remote(AUDIT).list(audit_pb2.ListAuditRequest(result="refused"))).items
        assert [(each.action, each.actor_name, each.target) for each in denied] == [
            ("Accounts/CreateUser", "zoe", ""),  # by the catalogue
            ("Accounts/CreateUser", "eva", "eve"),  # only an owner makes an owner
        ]
        with pytest.raises(PlatformError) as refused:
            await sign_in("zoe", "wrong")
        assert refused.value.code is Code.UNAUTHENTICATED
