"""``GET /api/overview``: whether each service can be reached, how the providers are, and what was answered lately."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from llm_platform.admin_dashboard.traffic import Traffic
from llm_platform.core.config import Config
from llm_platform.core.errors import PlatformError
from llm_platform.core.timestamps import Timestamps
from llm_platform.dashboard import transcoding
from llm_platform.dashboard.api import Api, answer
from llm_platform.model_proxy.interfaces import PROVIDERS
from llm_platform.proto import common_pb2
from llm_platform.rpc.client import Peers
from llm_platform.rpc.on_behalf import on_behalf_of

_timestamp = Timestamps()
ENTRY_SECONDS = 2.0
"""How long an entry may take to say how it is."""


class Overview:
    def __init__(self, config: Config, api: Api, peers: Peers, client: aiohttp.ClientSession) -> None:
        self._config = config
        self._api = api
        self._peers = peers
        self._providers = peers.remote(PROVIDERS)
        self._client = client
        self._traffic = Traffic(config.dashboard.entries, client)

    async def serve(self, request: web.Request) -> web.Response:
        person = await self._api.admit(request)
        with on_behalf_of(person.actor.token):
            providers = await self._provider_health()
        services, traffic = await asyncio.gather(
            asyncio.gather(
                *(self._peer(name) for name in sorted(self._config.peers) if "/" not in name),
                *(self._entry(name, url) for name, url in self._config.dashboard.entries.items()),
            ),
            self._traffic.summary(),
        )
        service = self._config.service
        return answer(
            request,
            {
                "at": _timestamp(time.time()),
                "version": service.version,
                "environment": service.environment,
                "services": services,
                "traffic": traffic,
                **providers,
            },
        )

    async def _provider_health(self) -> dict[str, Any]:
        """Raises what is the caller's fault; model-proxy being away is part of the answer."""
        try:
            return {"providers": transcoding.written(await self._providers.health(common_pb2.Empty()))["items"]}
        except PlatformError as error:
            if not error.retryable:
                raise
            return {"providers": [], "providers_unknown": error.message}

    async def _peer(self, name: str) -> dict[str, str]:
        reason = await self._peers.health_check(name)()
        return _state(name, "down" if reason else "ready", reason or "")

    async def _entry(self, name: str, url: str) -> dict[str, str]:
        try:
            async with self._client.get(f"{url}/health/ready") as reply:
                report = msgspec.json.decode(await reply.read())
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            return _state(name, "down", f"{name} does not answer.")
        return _state(name, str(report.get("status", "")), _reasons(report.get("dependencies", {})))


def _state(name: str, state: str, detail: str) -> dict[str, str]:
    return {"name": name, "state": state, "detail": detail}


def _reasons(dependencies: Mapping[str, Mapping[str, Any]]) -> str:
    return "; ".join(f"{name}: {each['reason']}" for name, each in dependencies.items() if each.get("reason"))


@asynccontextmanager
async def open_overview(config: Config, api: Api, peers: Peers) -> AsyncIterator[Overview]:
    timeout = aiohttp.ClientTimeout(total=ENTRY_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield Overview(config, api, peers, client)
