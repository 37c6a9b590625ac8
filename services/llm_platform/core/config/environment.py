"""The environment variables of the contract, and what each of them sets.

A variable wins over the file, an option of the command line over both. An empty variable counts as
unset. What is understood but belongs to a part that this release does not have is said, not ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llm_platform.core.config.document import Document, Location


class Variable(NamedTuple):
    name: str
    location: Location


VARIABLES = (
    Variable("SERVICE_NAME", ("service", "name")),
    Variable("SERVICE_VERSION", ("service", "version")),
    Variable("PLATFORM_ENV", ("service", "environment")),
    Variable("CACHE_ENABLED", ("cache", "enabled")),
    Variable("RATE_LIMITING_ENABLED", ("security", "rate_limiting_enabled")),
    Variable("CORS_ENABLED", ("security", "cors_enabled")),
    Variable("MAX_CONCURRENT_REQUESTS", ("traffic", "max_concurrent_requests")),
    Variable("REQUEST_TIMEOUT", ("traffic", "request_timeout")),
    Variable("STREAM_MAX_SECONDS", ("traffic", "stream_max_seconds")),
    Variable("DATABASE_URL", ("stores", "accounts_url")),
    Variable("DATABASE_URL", ("stores", "ledger_url")),
    Variable("REDIS_URL", ("stores", "limits_url")),
    Variable("VAULT_ADDR", ("vault", "address")),
    Variable("VAULT_ROLE_ID", ("vault", "role_id")),
    Variable("VAULT_SECRET_ID", ("vault", "secret_id")),
    Variable("OTEL_ENABLED", ("telemetry", "enabled")),
    Variable("OTEL_SERVICE_NAME", ("telemetry", "service_name")),
    Variable("OTEL_EXPORTER_OTLP_ENDPOINT", ("telemetry", "endpoint")),
    Variable("TELEMETRY_ENDPOINT", ("telemetry", "endpoint")),
)

# Understood, and of no effect until the part named here is there.
LATER = {
    "HEALTH_CHECK_INTERVAL_MS": "a provider's health is what its last calls say",
    "RUVECTOR_SERVICE_URL": "decision events are not sent anywhere",
    "RUVECTOR_API_KEY": "decision events are not sent anywhere",
}


class WellKnown(NamedTuple):
    """A provider that its key alone is enough to configure."""

    provider: str
    variables: tuple[str, ...]
    settings: dict[str, Any] | None
    """None: this release does not speak its API by itself."""


WELL_KNOWN = (
    WellKnown(
        "openai",
        ("OPENAI_API_KEY",),
        {
            "type": "openai",
            "base_url": "https://api.openai.com/v1",
            "models": [
                "gpt-4o",
                "gpt-4o-mini",
                "gpt-4.1",
                "gpt-4.1-mini",
                "gpt-5",
                "gpt-5-mini",
                "gpt-5-nano",
                "o3",
                "o4-mini",
            ],
        },
    ),
    WellKnown("anthropic", ("ANTHROPIC_API_KEY",), None),
    WellKnown("google", ("GEMINI_API_KEY", "GOOGLE_API_KEY"), None),
    WellKnown("meta", ("META_API_KEY",), None),
)

# Services whose HTTP port is the gateway's.
_GATEWAYS = ("gateway", "standalone")


def apply(document: Document, environment: Mapping[str, str]) -> list[str]:
    """Puts the variables into the document; returns what the operator should know."""
    for variable in VARIABLES:
        if text := environment.get(variable.name):
            document.set(variable.location, text, f"environment variable {variable.name}")
    _apply_gateway_port(document, environment)
    _apply_drain_limit(document, environment)
    notices = [notice for known in WELL_KNOWN if (notice := _apply_provider(document, environment, known))]
    notices += [f"{name} has no effect yet: {reason}" for name, reason in LATER.items() if environment.get(name)]
    return notices


def _section(document: Document, name: str) -> dict[str, Any]:
    section = document.data.get(name)
    return section if isinstance(section, dict) else {}


def _apply_gateway_port(document: Document, environment: Mapping[str, str]) -> None:
    port = environment.get("GATEWAY_PORT")
    if port and _section(document, "service").get("name", "standalone") in _GATEWAYS:
        document.set(("listen", "http"), port, "environment variable GATEWAY_PORT")


def _apply_drain_limit(document: Document, environment: Mapping[str, str]) -> None:
    """The longest stream is also how long a stopping process waits, unless the file says otherwise."""
    longest = environment.get("STREAM_MAX_SECONDS")
    if longest and "drain_seconds" not in _section(document, "traffic"):
        document.set(("traffic", "drain_seconds"), longest, "environment variable STREAM_MAX_SECONDS")


def _apply_provider(document: Document, environment: Mapping[str, str], known: WellKnown) -> str | None:
    name = next((name for name in known.variables if environment.get(name)), None)
    if name is None:
        return None
    configured = _section(document, "providers").get(known.provider)
    if configured is None and known.settings is None:
        return (
            f"{name} has no effect: add providers.{known.provider} with type openai, the base_url of its "
            "OpenAI-compatible API and its models"
        )
    if document.data.get("providers") is None:
        document.data["providers"] = {"echo": {"type": "echo", "models": ["echo"]}}
    if configured is None:
        document.set(("providers", known.provider), dict(known.settings or {}), f"environment variable {name}")
    document.set(("providers", known.provider, "api_key"), environment[name], f"environment variable {name}")
    return None
