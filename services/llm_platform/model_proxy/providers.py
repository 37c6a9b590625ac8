"""The providers that are served: their health, and the control side of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from llm_platform.core import config, metrics
from llm_platform.model_proxy.health import ProviderHealth
from llm_platform.model_proxy.keys import ProviderKey
from llm_platform.model_proxy.provider import Provider
from llm_platform.model_proxy.retry import RetryPolicy
from llm_platform.proto import common_pb2, providers_pb2


@dataclass
class Serving:
    """A provider with what belongs to serving it."""

    provider: Provider
    settings: config.Provider
    """What it was made of."""
    key: ProviderKey | None
    retry: RetryPolicy
    timeout: float
    """Seconds to the first byte, and of silence."""
    enabled: bool = True
    health: ProviderHealth = field(default_factory=ProviderHealth)


class ProvidersService:
    """The control side: implements ``Providers``."""

    def __init__(self, providers: Mapping[str, Serving], reload: Callable[[], Awaitable[None]]) -> None:
        self._providers = providers
        self._reload = reload

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths:  # noqa: ARG002
        return providers_pb2.ProviderHealths(items=[_state_of(serving) for serving in self._providers.values()])

    async def reload(self, request: common_pb2.Empty) -> common_pb2.Empty:  # noqa: ARG002
        """Reads definitions and keys again and gives every provider a fresh start (``definitions.py``)."""
        await self._reload()
        return common_pb2.Empty()


def _state_of(serving: Serving) -> providers_pb2.ProviderHealth:
    health = serving.health
    successes, failures = health.counts()
    problem = serving.provider.problem()
    state, detail = "healthy", ""
    if not serving.enabled:
        state, detail = "unconfigured", "disabled by configuration"
    elif problem is not None:
        state, detail = "unconfigured", problem
    elif health.circuit != "closed":
        state, detail = "down", health.last_failure
    elif failures:
        state, detail = "degraded", health.last_failure
    name = serving.provider.name
    metrics.provider_healthy.labels(name).set(state in {"healthy", "degraded"})
    metrics.provider_circuit_open.labels(name).set(health.circuit == "open")
    return providers_pb2.ProviderHealth(
        name=name,
        type=serving.provider.type,
        enabled=serving.enabled,
        state=state,
        detail=detail,
        models=serving.provider.models,
        successes=successes,
        failures=failures,
        score=health.score,
        circuit=health.circuit.value,
    )
