"""auth-service: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llm_platform.auth_service.audit.interfaces import AUDIT
from llm_platform.auth_service.audit.refusals import Refusals
from llm_platform.auth_service.audit.service import AuditService
from llm_platform.auth_service.audit.store import AuditStore
from llm_platform.auth_service.database import AccountDatabase
from llm_platform.auth_service.handover import Handover
from llm_platform.auth_service.interfaces import ACCOUNTS
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.service import AccountService
from llm_platform.auth_service.sessions.interfaces import SESSIONS
from llm_platform.auth_service.sessions.service import SessionService
from llm_platform.auth_service.sessions.signing_keys import SigningKeys
from llm_platform.auth_service.sessions.store import SessionStore
from llm_platform.auth_service.store import AccountStore
from llm_platform.core.config import Config
from llm_platform.core.database import migrate_apart, open_database, sqlite_url
from llm_platform.core.key_file import UnusableKeyError, read_key, read_or_make_key
from llm_platform.core.plain_text import warn_of_plain_text
from llm_platform.proto import accounts_pb2

if TYPE_CHECKING:
    from llm_platform.auth_service.sessions.oidc import OidcLogins
    from llm_platform.core.catalog import Catalog
    from llm_platform.core.lifecycle import Runtime
    from llm_platform.rpc.trail import Trail

_MIGRATIONS = "llm_platform.auth_service.migrations"


class AuthService(NamedTuple):
    """Everything that auth-service provides."""

    accounts: AccountService
    sessions: SessionService
    audit: AuditService
    refusals: Refusals

    def trail(self, catalog: Catalog) -> Trail:
        """The audit log as its guard writes to it: what a person may not do. What was done stands there already."""
        from llm_platform.rpc.trail import Trail

        return Trail(self.refusals, audited=catalog.services[AUDIT.provider].audit)


@asynccontextmanager
async def open_accounts(config: Config) -> AsyncIterator[AccountService]:
    """Only the accounts; see ``open_auth_service``."""
    async with open_auth_service(config) as opened:
        yield opened.accounts


@asynccontextmanager
async def open_auth_service(config: Config) -> AsyncIterator[AuthService]:
    """All of it, in its database. Makes the first admin when ``stores.bootstrap_file`` is set.

    Raises UnusableDatabaseError and UnusableKeyError.
    """
    handover = Handover(config.stores.bootstrap_file)
    async with open_database(_url(config), _MIGRATIONS, connections=config.stores.database_connections) as engine:
        store = AccountStore(engine)
        pepper = await _pepper(config.service.data_dir / "accounts.pepper", store)
        revocations = Revocations(store)
        audit = AuditService(AuditStore(engine))
        refusals = Refusals(audit.write)
        passwords = Passwords()
        service = AccountService(store, revocations, passwords, pepper=pepper, handover=handover, refused=refusals.note)
        async with revocations.running(), refusals.running():
            if config.stores.bootstrap_file is not None:
                await service.bootstrap(accounts_pb2.BootstrapRequest())
            store_of_sessions = SessionStore(store.database)
            oidc = _oidc(config, store.database, pepper, store_of_sessions, refusals)
            sessions = SessionService(
                store_of_sessions,
                SigningKeys(engine, pepper, _audience(config)),
                service,
                passwords,
                pepper=pepper,
                settings=config.sign_in,
                refused=refusals.note,
                oidc=oidc,
            )
            if oidc is not None:
                await oidc.check()
            async with sessions.running():
                yield AuthService(service, sessions, audit, refusals)


def _oidc(
    config: Config, database: AccountDatabase, pepper: bytes, accounts: SessionStore, refusals: Refusals
) -> OidcLogins | None:
    if config.oidc is None:
        return None
    # What only such logins need is loaded only for them.
    from llm_platform.auth_service.sessions.identities import Identities
    from llm_platform.auth_service.sessions.oidc import OidcLogins

    return OidcLogins(config.oidc, Identities(database, pepper), accounts, refusals.note)


def _audience(config: Config) -> str:
    """Whom tokens are for: the trust domain, so that those of another platform prove nothing here."""
    return config.tls.trust_domain if config.tls is not None else config.service.name


def _url(config: Config) -> str:
    return config.stores.accounts_url or sqlite_url(config.service.data_dir / "accounts.sqlite")


async def _pepper(path: Path, store: AccountStore) -> bytes:
    """The key of the kept hashes. Never made anew beside existing keys: it would make all of them unknown."""
    if not await store.has_keys():
        return read_or_make_key(path)
    try:
        return read_key(path)
    except UnusableKeyError as error:
        raise UnusableKeyError(f"{error} The API keys in the database need it: restore it from a backup.") from error


async def prepare(config: Config) -> None:
    """Does, in a process that ends again, what would leave much in memory. To be called before ``open_accounts``."""
    await migrate_apart(_url(config), _MIGRATIONS)


async def start(runtime: Runtime) -> None:
    """Runs auth-service in a process of its own."""
    from llm_platform.core import catalog as catalogs
    from llm_platform.rpc.server import Served, serve

    config = runtime.config
    await prepare(config)
    opened = await runtime.enter(open_auth_service(config))
    runtime.health.add("database", opened.accounts.check)
    warn_of_plain_text(runtime.health, "the accounts' database", config.stores.accounts_url)
    served: list[Served] = [(ACCOUNTS, opened.accounts), (AUDIT, opened.audit), (SESSIONS, opened.sessions)]
    catalog = catalogs.load(config.service.catalog)
    ports = {config.listen.grpc: served}
    await serve(runtime, ports, catalog=catalog, keys=opened.sessions.keys, trail=opened.trail(catalog))
