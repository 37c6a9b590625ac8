"""Serves a service's ports over gRPC, with mTLS and the catalogue's allow-list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from llm_platform.auth_service.audit.interfaces import AUDIT
from llm_platform.auth_service.sessions.interfaces import SESSIONS
from llm_platform.core import catalog as catalogs
from llm_platform.core.catalog import Catalog
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.lifecycle import Runtime
from llm_platform.core.logging import get_logger
from llm_platform.rpc.actors import Actors, PublicKeys
from llm_platform.rpc.authorization import AllowList
from llm_platform.rpc.client import Peers
from llm_platform.rpc.credentials import SERVER_OPTIONS, Certificates, listen
from llm_platform.rpc.guard import Guard
from llm_platform.rpc.handlers import handlers
from llm_platform.rpc.port import Port
from llm_platform.rpc.public_keys import RemoteKeys
from llm_platform.rpc.trail import Trail, remote_trail

log = get_logger("rpc.server")

CONCURRENT_CALLS = 2000
"""Of one listener; more are refused with RESOURCE_EXHAUSTED. Callers batch, so this is far off."""

STOP_SECONDS = 0.5
"""What a call still open after the drain gets before it is cut."""

Served = tuple[Port[Any], object]
"""A port and the object behind it."""


async def serve(
    runtime: Runtime,
    ports: Mapping[int | None, Sequence[Served]],
    extra_handlers: Sequence[grpc.GenericRpcHandler] = (),
    catalog: Catalog | None = None,
    keys: PublicKeys | None = None,
    trail: Trail | None = None,
) -> dict[int, int]:
    """Starts one server for each listen port and hooks it into the process's drain and stop.

    ``extra_handlers`` (the relay's) are served on ``listen.grpc`` and guarded like the others. ``keys`` check the
    tokens of people (default: auth-service's, asked for when one comes), ``trail`` is told for the audit log what they
    do (default: auth-service's). Returns
    listen port -> bound port (they differ for port 0). Raises ``OSError`` when a port is taken and
    ``PlatformError`` when the configuration does not name it.
    """
    config = runtime.config
    released = catalog or catalogs.load(config.service.catalog)
    if keys is None:
        keys, trail = await _from_auth_service(runtime, released)
    guard = _guard(config, released, keys, trail)
    certificates = Certificates(config.tls) if config.tls is not None else None
    listeners = {_named(port): [handlers(*served) for served in each] for port, each in ports.items()}
    if extra_handlers:
        listeners.setdefault(_named(config.listen.grpc), []).extend(extra_handlers)
    bound = [
        await runtime.enter(_listening(config, port, each, guard, certificates)) for port, each in listeners.items()
    ]

    runtime.on_drain(guard.drain)
    return dict(zip(listeners, bound, strict=True))


@asynccontextmanager
async def _listening(
    config: Config,
    port: int,
    served: Sequence[grpc.GenericRpcHandler],
    guard: Guard,
    certificates: Certificates | None,
) -> AsyncIterator[int]:
    server = grpc.aio.server(interceptors=[guard], options=SERVER_OPTIONS, maximum_concurrent_rpcs=CONCURRENT_CALLS)
    server.add_generic_rpc_handlers(tuple(served))
    bound = listen(server, config, port, certificates)
    await server.start()
    log.info("gRPC listens", host=config.listen.host, port=bound, mtls=certificates is not None)
    try:
        yield bound
    finally:
        stopping = asyncio.create_task(server.stop(STOP_SECONDS), name=f"stop gRPC on {bound}")
        await asyncio.sleep(0)
        guard.end_streams()
        await stopping


def _named(port: int | None) -> int:
    if port is None:
        raise PlatformError(Code.INTERNAL, "The configuration must name the gRPC port in listen (grpc, control).")
    return port


def _guard(config: Config, catalog: Catalog, keys: PublicKeys | None, trail: Trail | None) -> Guard:
    trust_domain = config.tls.trust_domain if config.tls is not None else None
    return Guard(
        AllowList(catalog, config.service.name, trust_domain),
        Actors(catalog, config.service.name, trust_domain, keys),
        trail,
    )


async def _from_auth_service(runtime: Runtime, catalog: Catalog) -> tuple[PublicKeys | None, Trail | None]:
    """For a service that people call, through dashboards or as operators; None where it is not a peer."""
    config = runtime.config
    own = catalog.services.get(config.service.name)
    if own is None or not (own.roles or own.audit) or not config.peers.get(SESSIONS.provider):
        return None, None
    peers = await runtime.enter(Peers(config))
    trail = await runtime.enter(remote_trail(lambda: peers.remote(AUDIT), own.audit))
    return RemoteKeys(lambda: peers.remote(SESSIONS)), trail
