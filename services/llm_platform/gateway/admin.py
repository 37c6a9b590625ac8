"""What operators may look at over HTTP: the configuration in force and the providers' health."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.server.exchange import Exchange
from llm_platform.http.server.request import Response
from llm_platform.model_proxy.interfaces import Providers
from llm_platform.proto import common_pb2, providers_pb2

ANSWER_SECONDS = 5.0
HIDDEN = "**********"

_encode = msgspec.json.Encoder().encode


class ConfigView:
    """``GET /config``: the effective configuration without its secrets."""

    def __init__(self, config: Config) -> None:
        # The configuration is frozen, so what is shown is made once.
        self._shown = _encode(without_passwords(config.model_dump(mode="json")))

    async def __call__(self, exchange: Exchange) -> Response:
        exchange.headers["cache-control"] = "no-store"
        return exchange.reply(200, self._shown)


class ProvidersView:
    """``GET /health/providers``: as model-proxy knows them."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    async def __call__(self, exchange: Exchange) -> Response:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                healths = await self._providers.health(common_pb2.Empty())
        except TimeoutError:
            raise PlatformError(Code.UNAVAILABLE, "model-proxy does not answer. Try again.", retry_after=5) from None
        usable = any(health.enabled and health.state in {"healthy", "degraded"} for health in healths.items)
        body = {"status": "ok" if usable else "down", "providers": [_shown(health) for health in healths.items]}
        exchange.headers["cache-control"] = "no-store"
        return exchange.reply(200 if usable else 503, _encode(body))


def without_passwords(value: Any) -> Any:
    """Secrets by type are hidden already; this hides the password inside an address."""
    match value:
        case dict():
            return {key: without_passwords(item) for key, item in value.items()}
        case list():
            return [without_passwords(item) for item in value]
        case str() if "://" in value:
            return _without_password(value)
        case _:
            return value


def _without_password(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return HIDDEN
    query = HIDDEN if parts.query else ""
    if "@" not in parts.netloc:
        return urlunsplit(parts._replace(query=query))
    userinfo, _, host = parts.netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    shown = f"{user}:{HIDDEN}" if colon else HIDDEN
    return urlunsplit(parts._replace(netloc=f"{shown}@{host}", query=query))


def _shown(health: providers_pb2.ProviderHealth) -> dict[str, Any]:
    return {
        "name": health.name,
        "type": health.type,
        "enabled": health.enabled,
        "state": health.state,
        "detail": health.detail,
        "circuit": health.circuit,
        "score": round(health.score, 4),
        "successes": health.successes,
        "failures": health.failures,
        "models": list(health.models),
    }
