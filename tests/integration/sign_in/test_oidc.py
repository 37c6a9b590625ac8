"""Signing in at a real OpenID Connect provider (OpenBao's), and what must not succeed there."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from llm_platform.auth_service.schema import users
from llm_platform.auth_service.sessions.identities import FLOW_SECONDS, Identities
from llm_platform.auth_service.sessions.oidc import OidcLogins
from llm_platform.auth_service.sessions.provider import Provider, RefusedLoginError
from llm_platform.auth_service.sessions.service import SessionService
from llm_platform.auth_service.sessions.signing_keys import SigningKeys
from llm_platform.auth_service.sessions.store import Account, SessionStore
from llm_platform.core.database import open_database, sqlite_url
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import sessions_pb2
from tests.integration.sign_in.conftest import OTHER, REDIRECT
from tests.integration.stores.test_sessions import SETTINGS, World, acting
from tests.servers.identity_provider import IdentityProvider

HERE = sessions_pb2.Origin(address="192.0.2.7", client="Firefox")


class Clock:
    """The real time, as the provider has it, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Site(World):
    """auth-service with logins at the provider."""

    def __init__(self, engine: Any, clock: Any, provider: IdentityProvider) -> None:
        super().__init__(engine, clock)
        self.provider = provider
        self.configure()

    def configure(self, client: str = "platform", **changes: Any) -> None:
        """Another configuration from now on."""
        store = SessionStore(self.database)
        settings = self.provider.settings(client, **changes)
        self.oidc = OidcLogins(settings, Identities(self.database, b"p" * 32), store, self.refusals.note, self.clock)
        self.service = SessionService(
            store,
            SigningKeys(self.engine, b"p" * 32, "prod.example", self.clock),
            self.keys,
            self.passwords,
            pepper=b"p" * 32,
            settings=SETTINGS,
            refused=self.refusals.note,
            oidc=self.oidc,
            clock=self.clock,
        )

    async def begin(self, redirect_uri: str = REDIRECT) -> sessions_pb2.OidcStart:
        return await self.service.begin_oidc(sessions_pb2.BeginOidcRequest(redirect_uri=redirect_uri))

    async def finish(self, state: str, code: str) -> sessions_pb2.SignedIn:
        return await self.service.finish_oidc(sessions_pb2.FinishOidcRequest(state=state, code=code, origin=HERE))

    async def come_in(self, name: str) -> sessions_pb2.ActorToken:
        start = await self.begin()
        back = self.provider.sign_in(start.url, name)
        assert back["state"] == start.state
        return await self.token((await self.finish(start.state, back["code"])).token)

    async def refuse(self, state: str, code: str) -> str:
        """The code of the refusal, and the reason in the audit log."""
        with pytest.raises(PlatformError) as refused:
            await self.finish(state, code)
        self.reasons = [kind.reason for kind in self.refusals._counts]
        return refused.value.code.value


@pytest.fixture(scope="module")
def people(identity_provider: IdentityProvider) -> IdentityProvider:
    identity_provider.add_person("zoe", "engineers")
    identity_provider.add_person("ada", "bosses")
    identity_provider.add_person("guest")
    return identity_provider


@pytest.fixture
async def site(people: IdentityProvider, tmp_path: Path) -> AsyncIterator[Site]:
    url = sqlite_url(tmp_path / "accounts.sqlite")
    async with open_database(url, "llm_platform.auth_service.migrations") as engine:
        site = Site(engine, Clock(), people)
        await site.add_organization("org_a")
        yield site


async def test_somebody_new_becomes_a_user_with_the_role_of_the_group_and_stays_the_same(site: Site) -> None:
    first = await site.come_in("zoe")
    again = await site.come_in("zoe")
    assert (first.name, first.role, first.organization_id, first.platform) == ("zoe", "developer", "org_a", False)
    assert again.user_id == first.user_id
    assert (await site.come_in("ada")).role == "owner"
    entries = await site.audited(action="Accounts/CreateUser")
    assert entries[0][2] == first.user_id
    assert len(entries) == 2


async def test_the_name_of_an_existing_user_gives_nobody_its_account(site: Site) -> None:
    existing = await site.add("zoe", organization_role="owner")
    came = await site.come_in("zoe")
    assert came.user_id != existing
    assert came.name.startswith("zoe-")


async def test_the_role_follows_the_groups_at_the_next_login_and_the_entries_hear_of_it(site: Site) -> None:
    first = await site.come_in("zoe")
    site.configure(roles={"engineers": "billing_viewer"})
    assert (await site.come_in("zoe")).role == "billing_viewer"
    assert ("Accounts/UpdateUser", "operator", first.user_id, "ok", 1) in await site.audited()


async def test_whoever_is_in_no_group_or_unknown_or_disabled_does_not_come_in(site: Site) -> None:
    async def refused(name: str) -> str:
        start = await site.begin()
        return await site.refuse(start.state, site.provider.sign_in(start.url, name)["code"])

    assert await refused("guest") == "permission_denied"
    site.configure(default_role="read_only")
    guest = await site.come_in("guest")
    assert guest.role == "read_only"
    site.configure(create_users=False, default_role="read_only")
    assert await refused("zoe") == "permission_denied"
    async with site.engine.begin() as connection:
        await connection.execute(update(users).values(disabled_at=1))
    assert await refused("guest") == "permission_denied"


async def test_the_owner_of_an_organisation_sees_who_was_refused_also_when_disabled_during_the_login(
    site: Site,
) -> None:
    zoe = await site.come_in("zoe")
    finish = site.oidc.finish

    async def disabled_meanwhile(state: str, code: str, origin: sessions_pb2.Origin) -> Account:
        account = await finish(state, code, origin)
        async with site.engine.begin() as connection:
            await connection.execute(update(users).values(disabled_at=1))
        return account

    for begin in (disabled_meanwhile, finish):
        site.oidc.finish = begin  # type: ignore[method-assign]
        start = await site.begin()
        code = site.provider.sign_in(start.url, "zoe")["code"]
        assert await site.refuse(start.state, code) == "permission_denied"
    assert await site.refuse("made up", "nothing") == "unauthenticated"
    with acting("owner"):
        told = await site.audited(result="refused")
    assert sorted(told) == [
        ("Sessions/FinishOidc", "", "", "refused", 1),
        ("Sessions/FinishOidc", "", zoe.user_id, "refused", 2),
    ]


async def test_nobody_new_comes_in_where_the_organisation_is_missing(site: Site) -> None:
    site.configure(organization="org_gone")
    start = await site.begin()
    assert await site.refuse(start.state, site.provider.sign_in(start.url, "zoe")["code"]) == "permission_denied"
    assert "oidc.organization" in site.reasons[-1]


async def test_a_state_is_good_once_in_time_and_only_if_it_was_given(site: Site) -> None:
    start = await site.begin()
    code = site.provider.sign_in(start.url, "zoe")["code"]
    assert await site.refuse("made up", code) == "unauthenticated"
    assert await site.refuse("", code) == "unauthenticated"
    await site.finish(start.state, code)
    assert await site.refuse(start.state, code) == "unauthenticated"
    late = await site.begin()
    code = site.provider.sign_in(late.url, "zoe")["code"]
    site.clock.ahead = FLOW_SECONDS
    assert await site.refuse(late.state, code) == "unauthenticated"
    assert site.reasons == ["its state is unknown, used or too old"]


async def test_a_code_is_good_once(site: Site) -> None:
    start = await site.begin()
    code = site.provider.sign_in(start.url, "zoe")["code"]
    await site.finish(start.state, code)
    assert await site.refuse((await site.begin()).state, code) == "unauthenticated"
    assert "the provider refused the code" in site.reasons[-1]


async def test_a_code_that_was_slipped_in_from_another_login_is_refused(site: Site) -> None:
    mine, theirs = await site.begin(), await site.begin()
    code = site.provider.sign_in(theirs.url, "ada")["code"]
    assert await site.refuse(mine.state, code) == "unauthenticated"  # PKCE
    assert "the provider refused the code" in site.reasons[-1]


async def test_a_token_for_another_nonce_is_refused(site: Site) -> None:
    start = await site.begin()
    code = site.provider.sign_in(start.url, "zoe", nonce="another")["code"]
    assert await site.refuse(start.state, code) == "unauthenticated"
    assert "nonce" in site.reasons[-1]


async def test_a_code_of_another_client_is_refused(site: Site) -> None:
    start = await site.begin()
    other = site.provider.settings("other").client_id
    code = site.provider.sign_in(start.url, "zoe", client_id=other)["code"]
    assert await site.refuse(start.state, code) == "unauthenticated"


async def test_only_the_dashboards_addresses_are_come_back_to(site: Site) -> None:
    for address in (OTHER, "", REDIRECT + "/..", "javascript:alert(1)"):
        with pytest.raises(PlatformError) as refused:
            await site.begin(address)
        assert refused.value.code is Code.INVALID_REQUEST


async def id_token(site: Site, client: str = "platform") -> tuple[Provider, str, str]:
    """The provider as our site sees it, a real ID token for ``client``, and its nonce."""
    settings = site.provider.settings(client)
    url = await Provider(settings, site.clock).authorization_url(REDIRECT, "state", "nonce-1", "v" * 43)
    token = site.provider.redeem(settings, site.provider.sign_in(url, "zoe")["code"], REDIRECT, "v" * 43)
    return Provider(site.provider.settings(), site.clock), token, "nonce-1"


async def test_an_id_token_holds_for_its_client_in_its_time_and_unchanged(site: Site) -> None:
    provider, token, nonce = await id_token(site)
    assert (await provider.check(token, nonce))["preferred_username"] == "zoe"
    header, claims, signature = token.split(".")
    none = "eyJhbGciOiJub25lIn0"
    for wrong in (
        f"{none}.{claims}.",
        f"{none}.{claims}.{signature}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{'A' * len(signature)}",
        f"{header}.{claims[:-4]}AAAA.{signature}",
        "",
        "a.b.c",
    ):
        with pytest.raises(RefusedLoginError):
            await provider.check(wrong, nonce)
    for wrong_nonce in ("", "nonce-2"):
        with pytest.raises(RefusedLoginError):
            await provider.check(token, wrong_nonce)
    other, foreign, _ = await id_token(site, client="other")
    with pytest.raises(RefusedLoginError, match="aud"):
        await other.check(foreign, nonce)
    site.clock.ahead = 600 + 30  # the leeway is 60; what has passed since is not known
    assert await provider.check(token, nonce)
    site.clock.ahead = 600 + 61
    with pytest.raises(RefusedLoginError, match="expired"):
        await provider.check(token, nonce)


async def test_a_provider_that_is_away_or_names_another_issuer_is_unavailable(site: Site) -> None:
    for changes in (
        {"issuer": "https://127.0.0.1:1/v1"},
        {"issuer": site.provider.issuer + "/"},
        {"authority": None},
    ):
        site.configure(**changes)
        with pytest.raises(PlatformError) as refused:
            await site.begin()
        assert refused.value.code is Code.UNAVAILABLE, changes


async def test_without_a_provider_the_configuration_is_named(site: Site) -> None:
    site.service._oidc = None
    with pytest.raises(PlatformError, match="see oidc in the configuration"):
        await site.begin()
