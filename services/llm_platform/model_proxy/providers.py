"""The providers that are served: their health, and the control side of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llm_platform.core import config, metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy.health import ProviderHealth
from llm_platform.model_proxy.kept import AppliedRules
from llm_platform.model_proxy.keys import ProviderKey
from llm_platform.model_proxy.provider import Provider
from llm_platform.model_proxy.retry import RetryPolicy
from llm_platform.proto import common_pb2, providers_pb2

if TYPE_CHECKING:
    from llm_platform.model_proxy.definitions import Definitions
    from llm_platform.model_proxy.trial import Trial


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

    def __init__(self, definitions: Definitions, trial: Trial) -> None:
        self._definitions = definitions
        self._trial = trial

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths:  # noqa: ARG002
        servings = self._definitions.servings.values()
        return providers_pb2.ProviderHealths(items=[_state_of(each) for each in servings], applied=self._applied())

    async def reload(self, request: common_pb2.Empty) -> common_pb2.Empty:  # noqa: ARG002
        """Reads definitions and keys again and gives every provider a fresh start (``definitions.py``)."""
        await self._definitions.reload()
        return common_pb2.Empty()

    async def apply(self, request: providers_pb2.ApplyRequest) -> providers_pb2.Applied:
        """Raises CONFLICT, INVALID_REQUEST (``definitions.py``)."""
        rules = None
        if request.HasField("document"):
            rules = AppliedRules(request.rules.number, request.rules.digest, request.document)
        await self._definitions.apply(rules, (request.before.number, request.before.digest))
        return self._applied()

    async def test(self, request: providers_pb2.TestRequest) -> providers_pb2.TestReport:
        """Raises NOT_FOUND, INVALID_REQUEST (param: the field)."""
        if request.HasField("definition"):
            given = request.definition
            if given.name not in ("", request.name):
                raise PlatformError(Code.INVALID_REQUEST, "The definition is of another name.", param="definition")
            given.name = request.name
            return await self._trial.run(request.name, self._definitions.definition(given))
        serving = self._definitions.servings.get(request.name)
        if serving is None:
            raise PlatformError(Code.NOT_FOUND, f"There is no provider {request.name[:64]}.", param="name")
        return await self._trial.run(request.name, serving.settings)

    def _applied(self) -> providers_pb2.Applied:
        number, digest = self._definitions.serves
        return providers_pb2.Applied(number=number, digest=digest)


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
