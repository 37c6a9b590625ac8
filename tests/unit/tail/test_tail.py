"""tail over the real services' objects in one process: a key, a limit, a revocation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from llm_platform.auth_service.app import open_accounts
from llm_platform.auth_service.interfaces import Accounts
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.health import Health
from llm_platform.proto import accounts_pb2, common_pb2, routing_pb2
from llm_platform.rate_limiter.service import MemoryLimiter
from llm_platform.tail.app import open_tail
from tests.unit.http.parts import CHAT, ScriptedInference, config, routing

PATH = "/v1/chat/completions"


@asynccontextmanager
async def tail(directory: Path, routes: object | None = None) -> AsyncIterator[tuple[Accounts, aiohttp.ClientSession]]:
    own = Config.model_validate({"service": {"data_dir": str(directory)}})
    settings = config()
    health = Health(settings)
    health.started = True
    async with open_accounts(own) as accounts:
        await accounts.bootstrap(accounts_pb2.BootstrapRequest())
        limiter = MemoryLimiter(default_ttl_seconds=60)
        inference = ScriptedInference()
        async with (
            open_tail(settings, inference, accounts, limiter, routes or routing(), health) as server,  # type: ignore[arg-type]
            aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
        ):
            yield accounts, client


async def test_a_key_works_until_it_is_revoked(tmp_path: Path) -> None:
    async with tail(tmp_path) as (accounts, client):
        key = await accounts.create_key(accounts_pb2.CreateKeyRequest(name="k"))
        headers = {"authorization": f"Bearer {key.secret}"}
        assert (await client.post(PATH, json=CHAT, headers=headers)).status == 200
        await accounts.revoke_key(accounts_pb2.RevokeKeyRequest(key=key.key.key_id))
        async with asyncio.timeout(5):  # the longest a cache may keep it; the push comes first
            while (reply := await client.post(PATH, json=CHAT, headers=headers)).status != 401:  # noqa: ASYNC110 - as a client
                await asyncio.sleep(0.01)
        assert "revoked" in (await reply.json())["error"]["message"]


async def test_a_keys_own_limit_is_enforced(tmp_path: Path) -> None:
    async with tail(tmp_path) as (accounts, client):
        limits = common_pb2.Limits(requests_per_minute=1)
        key = await accounts.create_key(accounts_pb2.CreateKeyRequest(name="k", limits=limits))
        headers = {"authorization": f"Bearer {key.secret}"}
        assert [(await client.post(PATH, json=CHAT, headers=headers)).status for _ in range(2)] == [200, 429]


async def test_tail_has_nothing_of_the_gateways_own(tmp_path: Path) -> None:
    async with tail(tmp_path) as (_, client):
        for path in ("/config", "/health/providers"):
            assert (await client.get(path)).status == 404
        for path in ("/health", "/health/live", "/live", "/ready", "/health/ready", "/metrics"):
            assert (await client.get(path)).status == 200


async def test_the_list_of_models_outlives_heads_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Head:
        away = False

        async def models(self, request: common_pb2.Empty) -> routing_pb2.ModelList:
            if self.away:
                raise PlatformError(Code.UNAVAILABLE, "away")
            return routing_pb2.ModelList(items=[routing_pb2.Model(id="m")])

        async def decide(self, request: routing_pb2.DecideRequest) -> routing_pb2.Decision:
            raise NotImplementedError

    monkeypatch.setattr("llm_platform.http.models.FRESH_SECONDS", 0.0)
    head = Head()
    async with tail(tmp_path, head) as (accounts, client):
        key = await accounts.create_key(accounts_pb2.CreateKeyRequest(name="k"))
        headers = {"authorization": f"Bearer {key.secret}"}
        head.away = True
        assert (await client.get("/v1/models", headers=headers)).status == 503
        head.away = False
        assert (await client.get("/v1/models", headers=headers)).status == 200
        head.away = True
        assert (await client.get("/v1/models", headers=headers)).status == 200
