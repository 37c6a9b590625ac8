"""Real servers and clients on the loopback, over mTLS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from joserfc.jwk import OKPKey

from llm_platform.core import pki
from llm_platform.core.actor import Actor
from llm_platform.core.actor_token import Claims, sign
from llm_platform.core.config import Config, Listen, Service, Tls, Traffic
from llm_platform.core.lifecycle import Runtime
from llm_platform.rpc.actors import PublicKeys
from llm_platform.rpc.server import Served, serve
from llm_platform.rpc.trail import Trail

TRUST_DOMAIN = "test.internal"

BOUND = 10.0
"""Seconds; far above what anything here takes."""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(BOUND):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.01)


class Site:
    """One trust domain: its authority, and services with certificates of it."""

    def __init__(self, directory: Path, trust_domain: str = TRUST_DOMAIN) -> None:
        self.directory = directory
        self.authority = pki.issue_authority(trust_domain)

    def tls(self, service: str) -> Tls:
        """The files of ``service``, made at the first call."""
        directory = self.directory / service
        if not directory.exists():
            return self.renew(service, pki.issue_certificate(self.authority, service))
        return Tls(
            certificate=directory / pki.CERTIFICATE_FILE,
            key=directory / pki.KEY_FILE,
            authority=directory / pki.AUTHORITY_FILE,
            trust_domain=self.authority.trust_domain,
        )

    def renew(self, service: str, bundle: pki.Bundle) -> Tls:
        """Replaces the files of ``service``."""
        return pki.write_bundle(self.directory / service, bundle)

    def config(self, service: str, *, tls: Tls | None = None, grpc_port: int = 0, **peers: Sequence[int]) -> Config:
        """``peers``: service (with ``_`` for ``-``) -> ports on the loopback."""
        return Config(
            service=Service(name=service, replica=f"{service}-1"),
            listen=Listen(grpc=grpc_port),
            tls=tls or self.tls(service),
            traffic=Traffic(drain_seconds=5),
            peers={
                name.replace("_", "-"): [f"127.0.0.1:{port}" for port in ports]
                for name, ports in peers.items()
                if ports
            },
        )

    @asynccontextmanager
    async def serving(
        self,
        service: str,
        *served: Served,
        tls: Tls | None = None,
        port: int = 0,
        extra_handlers: Sequence[grpc.GenericRpcHandler] = (),
        keys: PublicKeys | None = None,
        trail: Trail | None = None,
        **peers: Sequence[int],
    ) -> AsyncIterator[Serving]:
        """``service`` with what it serves, until the end of the block (or an earlier ``stop``)."""
        runtime = Runtime(self.config(service, tls=tls, grpc_port=port, **peers))
        try:
            bound = await serve(runtime, {port: served}, extra_handlers, keys=keys, trail=trail)
            yield Serving(runtime, bound[port])
        finally:
            await runtime.close()


class Serving:
    def __init__(self, runtime: Runtime, port: int) -> None:
        self.port = port
        self.runtime = runtime

    async def stop(self) -> None:
        await self.runtime.drain()
        await self.runtime.close()


class Everything:
    """Implements any port: answers every method with ``answer`` and notes the calls."""

    def __init__(self, answer: Any = None) -> None:
        self.calls: list[str] = []
        self._answer = answer

    def __getattr__(self, name: str) -> Any:
        async def method(_request: Any) -> Any:
            self.calls.append(name)
            return self._answer

        return method


class Issuer:
    """Signs tokens as auth-service does, and is where their public keys come from."""

    def __init__(self, audience: str = TRUST_DOMAIN) -> None:
        self._audience = audience
        self._key = OKPKey.generate_key("Ed25519", {"kid": "sig_test"})

    def token(self, actor: Actor, seconds: float = 300) -> str:
        claims = Claims(actor, "ses_1", int(time.time() + seconds))
        return sign(self._key, claims, self._audience, time.time())

    async def find(self, key_id: str) -> OKPKey | None:
        return self._key if key_id == self._key.kid else None


def person(role: str, *, platform: bool = False) -> Actor:
    return Actor("usr_1", "Zoë", "user", role, "org_1", platform=platform)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
