"""Where a command's work happens: in the running platform, or in the stores of this directory.

With ``tls`` and ``peers`` in the configuration the commands call the services over mTLS as
``operator``; otherwise they open the embedded stores of ``service.data_dir`` themselves, also while
``llm-gateway serve`` runs on them. A command's code is the same for both.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

if TYPE_CHECKING:
    # The command line is to answer --help at once: what a command needs is imported when it runs.
    from llm_platform.auth_service.audit.interfaces import Audit
    from llm_platform.auth_service.interfaces import Accounts
    from llm_platform.auth_service.sessions.interfaces import Sessions
    from llm_platform.billing.interfaces import Ledger
    from llm_platform.core.config import Config
    from llm_platform.core.errors import PlatformError
    from llm_platform.head.interfaces import Routing
    from llm_platform.rpc.port import Port
    from llm_platform.secrets_service.interfaces import Secrets

Interface = TypeVar("Interface")
Result = TypeVar("Result")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar="LLM_GATEWAY_CONFIG", help="Configuration file. Default: built-in defaults."),
]


def load_config(path: Path | None) -> Config:
    """The configuration without its notices, which concern the server. Raises ``ConfigError``."""
    from llm_platform.core.config.file import read

    return read(path, os.environ).config


def with_accounts(config: Path | None, work: Callable[[Accounts], Awaitable[Result]]) -> Result:
    """Runs ``work`` with auth-service, or with the embedded accounts."""
    from llm_platform.auth_service.interfaces import ACCOUNTS

    def embedded(config: Config) -> AbstractAsyncContextManager[Accounts]:
        from llm_platform.auth_service.app import open_accounts

        return open_accounts(config)

    return _run(config, ACCOUNTS, embedded, work)


def with_audit(config: Path | None, work: Callable[[Audit], Awaitable[Result]]) -> Result:
    """Runs ``work`` with auth-service's audit log, or with the embedded one."""
    from llm_platform.auth_service.audit.interfaces import AUDIT

    @asynccontextmanager
    async def embedded(config: Config) -> AsyncIterator[Audit]:
        from llm_platform.auth_service.app import open_auth_service

        async with open_auth_service(config) as opened:
            yield opened.audit

    return _run(config, AUDIT, embedded, work)


def with_sessions(config: Path | None, work: Callable[[Sessions], Awaitable[Result]]) -> Result:
    """Runs ``work`` with auth-service's sessions, or with the embedded ones."""
    from llm_platform.auth_service.sessions.interfaces import SESSIONS

    @asynccontextmanager
    async def embedded(config: Config) -> AsyncIterator[Sessions]:
        from llm_platform.auth_service.app import open_auth_service

        async with open_auth_service(config) as opened:
            yield opened.sessions

    return _run(config, SESSIONS, embedded, work)


def with_ledger(
    config: Path | None, work: Callable[[Ledger], Awaitable[Result]], *, seconds: float | None = None
) -> Result:
    """Runs ``work`` with billing, or with the embedded ledger. ``seconds``: what a call may take that takes long."""
    from llm_platform.billing.interfaces import LEDGER

    @asynccontextmanager
    async def embedded(config: Config) -> AsyncIterator[Ledger]:
        from llm_platform.billing.app import open_ledger
        from llm_platform.cli.audited import audited

        async with open_ledger(config) as opened, audited(config, LEDGER, cast("Ledger", opened)) as ledger:
            yield ledger

    return _run(config, LEDGER, embedded, work, seconds)


def with_routing(config: Path | None, work: Callable[[Routing], Awaitable[Result]]) -> Result:
    """Runs ``work`` with head, or with the embedded rules: a server that runs on them follows within a second."""
    from llm_platform.head.interfaces import ROUTING

    @asynccontextmanager
    async def embedded(opened: Config) -> AsyncIterator[Routing]:
        from llm_platform.cli.audited import audited
        from llm_platform.head.app import open_rules

        async with (
            open_rules(opened, lambda: load_config(config)) as rules,
            audited(opened, ROUTING, cast("Routing", rules)) as routing,
        ):
            yield routing

    return _run(config, ROUTING, embedded, work)


def with_secrets(config: Path | None, work: Callable[[Secrets], Awaitable[Result]]) -> Result:
    """Runs ``work`` with secrets-service, or with the embedded store."""
    from llm_platform.secrets_service.interfaces import SECRETS

    def embedded(config: Config) -> AbstractAsyncContextManager[Secrets]:
        from llm_platform.secrets_service.app import open_secrets

        return open_secrets(config)

    return _run(config, SECRETS, embedded, work)


def with_each_secrets(
    path: Path | None, work: Callable[[Secrets], Awaitable[Result]]
) -> dict[str, Result | PlatformError]:
    """Runs ``work`` with every replica of secrets-service that answers, one after the other; by endpoint.

    Without services: with the embedded store. Raises PlatformError when none can be reached.
    """
    from llm_platform.core.errors import Code, PlatformError
    from llm_platform.proto import common_pb2
    from llm_platform.rpc.client import Peers
    from llm_platform.rpc.peer import peer_name
    from llm_platform.secrets_service.interfaces import SECRETS

    config = load_config(path)
    if not (config.tls and config.peers):
        return {str(config.service.data_dir): with_secrets(path, work)}
    name = peer_name(SECRETS)

    async def reach(endpoint: str, stack: AsyncExitStack) -> Secrets | None:
        one = config.model_copy(update={"peers": {name: [endpoint]}})
        secrets = (await stack.enter_async_context(Peers(one))).remote(SECRETS)
        try:
            await secrets.seal_status(common_pb2.Empty())
        except PlatformError as error:
            if error.code is Code.UNAVAILABLE:
                return None  # a replica slot where nothing runs
            raise
        return secrets

    async def attempt(secrets: Secrets) -> Result | PlatformError:
        try:
            return await work(secrets)
        except PlatformError as error:
            return error

    async def execute() -> dict[str, Result | PlatformError]:
        async with AsyncExitStack() as stack:
            endpoints = config.peers.get(name, [])
            reached = await asyncio.gather(*(reach(endpoint, stack) for endpoint in endpoints))
            answers = {
                endpoint: await attempt(secrets)
                for endpoint, secrets in zip(endpoints, reached, strict=True)
                if secrets is not None
            }
        if not answers:
            raise PlatformError(Code.UNAVAILABLE, f"None of {len(endpoints)} endpoints of {name} can be reached.")
        return answers

    _quiet(config)
    return asyncio.run(execute())


def _run(
    path: Path | None,
    port: Port[Interface],
    embedded: Callable[[Config], AbstractAsyncContextManager[Interface]],
    work: Callable[[Interface], Awaitable[Result]],
    seconds: float | None = None,
) -> Result:
    config = load_config(path)
    _quiet(config)

    async def execute() -> Result:
        opened = _remote(config, port, seconds) if config.tls and config.peers else embedded(config)
        async with opened as service:
            return await work(service)

    return asyncio.run(execute())


def _quiet(config: Config) -> None:
    from llm_platform.core import logging

    quiet = config.logging.model_copy(update={"level": "error", "format": "text", "output": "stderr"})
    logging.configure(config.model_copy(update={"logging": quiet}))


@asynccontextmanager
async def _remote(config: Config, port: Port[Interface], seconds: float | None) -> AsyncIterator[Interface]:
    from llm_platform.rpc.client import CALL_SECONDS, Peers

    async with Peers(config) as peers:
        yield peers.remote(port, seconds or CALL_SECONDS)
