"""The ``Routing`` port: decisions, and the models that can be decided on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple, NoReturn

from prometheus_client import Counter

from llm_platform.core import ids, metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.head import engine
from llm_platform.head.engine import Features, Rejection, Rules, Target
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.proto import common_pb2, routing_pb2

MODELS_SHOWN = 10
"""How many names an error lists."""


_LIMIT_REACHED = engine.ProviderState(usable=False, description="its limit is reached")


class Route(NamedTuple):
    """A decision that was not a rejection."""

    primary: Target
    fallback: Target | None
    matched_rules: tuple[str, ...]
    strategy: str


class Router:
    """Gives the engine its inputs and words its rejections."""

    def __init__(self, rules: Callable[[], Rules], health: ProviderHealth) -> None:
        """``rules`` gives those of now; providers and models are always the same."""
        self._rules = rules
        self._health = health
        self._turns: defaultdict[str, int] = defaultdict(int)
        self._selected: dict[str, Counter] = {}
        self._models = _models(rules())

    def decide(self, model: str, passed_over: Collection[str] = ()) -> Route:
        """``passed_over``: providers that take no call now.

        Raises ``PlatformError``: MODEL_NOT_FOUND, NO_HEALTHY_PROVIDERS.
        """
        states = self._health.states
        if passed_over:
            states = {**states, **dict.fromkeys(passed_over, _LIMIT_REACHED)}
        known = model in self._models
        decision = engine.route(Features(model), self._rules(), states, self._turns[model] if known else 0)
        if decision.primary is None:
            self._reject(decision.rejection, model, states)
        self._turns[model] += 1
        self._count(decision.primary.provider)
        return Route(decision.primary, decision.fallback, decision.matched_rules, decision.strategy.value)

    @property
    def models(self) -> Mapping[str, routing_pb2.Model]:
        """Public names that some enabled provider serves."""
        return self._models

    def _count(self, provider: str) -> None:
        child = self._selected.get(provider)
        if child is None:
            child = self._selected[provider] = metrics.decisions.labels("route_select", provider)
        child.inc()

    def _reject(self, rejection: Rejection | None, model: str, states: Mapping[str, engine.ProviderState]) -> NoReturn:
        metrics.decisions.labels("route_reject", "").inc()
        if rejection is Rejection.MODEL_UNKNOWN:
            raise PlatformError(Code.MODEL_NOT_FOUND, self._unknown_model(model), param="model")
        raise PlatformError(Code.NO_HEALTHY_PROVIDERS, self._none_usable(model, states), retry_after=5)

    def _unknown_model(self, model: str) -> str:
        names = sorted(self._models)
        shown = ", ".join(names[:MODELS_SHOWN]) + (", …" if len(names) > MODELS_SHOWN else "")
        return (
            f"The model '{model}' is not served here. Use one of: {shown or 'none is configured'} (GET /v1/models); "
            "an administrator adds others under providers.NAME.models."
        )

    def _none_usable(self, model: str, states: Mapping[str, engine.ProviderState]) -> str:
        serving = [rule.name for rule in self._rules().providers if rule.enabled and model in rule.models]
        described = "; ".join(f"{name}: {states[name].description}" for name in serving if name in states)
        return (
            f"No provider of the model '{model}' can be used now: {described}. "
            "Try again shortly; an administrator sees more at GET /health/providers."
        )


class HeadRouting:
    """What head answers beside inference."""

    def __init__(self, router: Router) -> None:
        self._router = router

    async def decide(self, request: routing_pb2.DecideRequest) -> routing_pb2.Decision:
        """Decides without calling any provider."""
        if request.allowed_models and request.model not in request.allowed_models:
            raise PlatformError(
                Code.PERMISSION_DENIED, f"This key may not use the model '{request.model[:200]}'.", param="model"
            )
        route = self._router.decide(request.model)
        return routing_pb2.Decision(
            decision_id=ids.new_id("dec"),
            primary=_route_target(route.primary),
            fallback=_route_target(route.fallback) if route.fallback else None,
            matched_rules=route.matched_rules,
            strategy=route.strategy,
        )

    async def models(self, _request: common_pb2.Empty) -> routing_pb2.ModelList:
        return routing_pb2.ModelList(items=self._router.models.values())


def _models(rules: Rules) -> dict[str, routing_pb2.Model]:
    """Each name once, owned by the provider that is preferred for it."""
    models: dict[str, routing_pb2.Model] = {}
    for rule in sorted(rules.providers, key=lambda rule: rule.priority):
        if rule.enabled:
            for name in rule.models:
                models.setdefault(name, routing_pb2.Model(id=name, owned_by=rule.name))
    return models


def _route_target(target: Target) -> routing_pb2.RouteTarget:
    return routing_pb2.RouteTarget(provider=target.provider, upstream_model=target.upstream_model)
