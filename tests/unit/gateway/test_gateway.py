"""What gateway has beside tail's paths: configuration, providers' health, CORS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from llm_platform.auth_service.app import open_accounts
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.health import Health
from llm_platform.gateway import admin
from llm_platform.gateway.app import open_gateway
from llm_platform.proto import accounts_pb2, providers_pb2
from llm_platform.rate_limiter.service import MemoryLimiter
from tests.unit.head.parts import ProviderStates
from tests.unit.http.parts import CHAT, ScriptedInference, config, routing

SECTIONS = {
    "providers": {"p": {"type": "openai", "api_key": "sk-secret", "base_url": "https://host/v1"}},
    "stores": {"accounts_url": "postgresql://app:hunter2@db/accounts", "secrets_key": "c2VjcmV0"},
    "security": {"cors_origins": ["https://app.example"]},
}


@pytest.fixture
def settings(tmp_path: object) -> Config:
    return config(**SECTIONS)


@asynccontextmanager
async def gateway(
    settings: Config, tmp_path: object, providers: ProviderStates
) -> AsyncIterator[aiohttp.ClientSession]:
    own = Config.model_validate({"service": {"data_dir": str(tmp_path)}})
    health = Health(settings)
    async with open_accounts(own) as accounts:
        made = await accounts.bootstrap(accounts_pb2.BootstrapRequest())
        user = await accounts.create_user(
            accounts_pb2.CreateUserRequest(name="u", role="developer", password="long enough pw")
        )
        plain = await accounts.create_key(accounts_pb2.CreateKeyRequest(name="plain", user=user.user_id))
        limiter = MemoryLimiter(default_ttl_seconds=60)
        async with (
            open_gateway(settings, ScriptedInference(), accounts, limiter, routing(), health, providers) as server,
            aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client,
        ):
            client.headers["x-api-key"] = made.key.secret
            client.headers["x-plain"] = plain.secret
            yield client


async def test_the_configuration_is_shown_to_admins_without_any_secret(settings: Config, tmp_path: object) -> None:
    async with gateway(settings, tmp_path, ProviderStates()) as client:
        reply = await client.get("/config")
        text = await reply.text()
        assert reply.status == 200
        assert '"routing"' in text
        assert "postgresql://app:**********@db/accounts" in text
        for secret in ("sk-secret", "hunter2", "c2VjcmV0"):
            assert secret not in text


@pytest.mark.case(23)
async def test_the_configuration_is_not_shown_to_others(settings: Config, tmp_path: object) -> None:
    async with gateway(settings, tmp_path, ProviderStates()) as client:
        plain = {"x-api-key": client.headers["x-plain"]}
        assert (await client.get("/config", headers=plain)).status == 403
        assert (await client.get("/config", headers={"x-api-key": "wrong"})).status == 401


async def test_providers_are_shown_with_their_state(settings: Config, tmp_path: object) -> None:
    providers = ProviderStates(
        providers_pb2.ProviderHealth(name="a", enabled=True, state="healthy", models=["m"], score=1.0),
        providers_pb2.ProviderHealth(name="b", enabled=True, state="unconfigured", detail="Store llm/b/api_key."),
    )
    async with gateway(settings, tmp_path, providers) as client:
        reply = await client.get("/health/providers")
        shown = await reply.json()
        assert (reply.status, shown["status"]) == (200, "ok")
        assert [(each["name"], each["state"]) for each in shown["providers"]] == [
            ("a", "healthy"),
            ("b", "unconfigured"),
        ]
        providers.items = [providers_pb2.ProviderHealth(name="a", enabled=True, state="down")]
        assert (await client.get("/health/providers")).status == 503
        providers.error = PlatformError(Code.UNAVAILABLE, "model-proxy is away", retry_after=1)
        assert (await (await client.get("/health/providers")).json())["error"]["code"] == "unavailable"


@pytest.mark.case(12)
async def test_a_frozen_model_proxy_does_not_hang_the_page(
    settings: Config, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "ANSWER_SECONDS", 0.05)
    providers = ProviderStates()

    async def frozen(request: object) -> None:
        await asyncio.Event().wait()

    async with gateway(settings, tmp_path, providers) as client:
        monkeypatch.setattr(providers, "health", frozen)
        assert (await client.get("/health/providers")).status == 503


async def test_a_preflight_of_an_allowed_origin_is_answered_without_a_key(settings: Config, tmp_path: object) -> None:
    async with gateway(settings, tmp_path, ProviderStates()) as client:
        asking = {
            "origin": "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
            "x-api-key": "",
        }
        reply = await client.options("/v1/chat/completions", headers=asking)
        assert reply.status == 204
        assert reply.headers["access-control-allow-origin"] == "https://app.example"
        assert reply.headers["access-control-allow-headers"] == "authorization,content-type"
        assert "POST" in reply.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in reply.headers


async def test_replies_and_errors_are_readable_for_allowed_origins_only(settings: Config, tmp_path: object) -> None:
    async with gateway(settings, tmp_path, ProviderStates()) as client:
        for body, status in ((CHAT, 200), ({}, 400)):
            allowed = await client.post("/v1/chat/completions", json=body, headers={"origin": "https://app.example"})
            assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (status, "https://app.example")
            other = await client.post("/v1/chat/completions", json=body, headers={"origin": "https://evil.example"})
            assert "access-control-allow-origin" not in other.headers
            assert other.headers["vary"] == "Origin"


async def test_cors_can_be_switched_off(tmp_path: object) -> None:
    off = config(**SECTIONS | {"security": {"cors_origins": ["https://app.example"], "cors_enabled": False}})
    async with gateway(off, tmp_path, ProviderStates()) as client:
        reply = await client.get("/v1/models", headers={"origin": "https://app.example"})
        assert "access-control-allow-origin" not in reply.headers
