"""The ``Routing`` port: decisions, and the models that can be decided on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from prometheus_client import Counter

from llm_platform.core import ids, metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.head import engine
from llm_platform.head.engine import Features, Rejection, Rules, Target
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.head.store.methods import RuleMethods
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
        """``rules`` gives those of now: the same object as long as they do not change."""
        self._rules = rules
        self._health = health
        self._turns: defaultdict[str, int] = defaultdict(int)
        self._selected: dict[str, Counter] = {}
        self._listed = rules()
        self._models = _models(self._listed)

    def decide(self, model: str, passed_over: Collection[str] = ()) -> Route:
        """``passed_over``: providers that take no call now.

        Raises ``PlatformError``: MODEL_NOT_FOUND, NO_HEALTHY_PROVIDERS.
        """
        states = self._health.states
        if passed_over:
            states = {**states, **dict.fromkeys(passed_over, _LIMIT_REACHED)}
        rules = self._rules()
        known = model in self.models
        decision = engine.route(Features(model), rules, states, self._turns[model] if known else 0)
        if decision.primary is None:
            metrics.decisions.labels("route_reject", "").inc()
            raise rejected(decision.rejection, model, rules, states)
        self._turns[model] += 1
        self._count(decision.primary.provider)
        return Route(decision.primary, decision.fallback, decision.matched_rules, decision.strategy.value)

    @property
    def models(self) -> Mapping[str, routing_pb2.Model]:
        """Public names that some enabled provider serves."""
        rules = self._rules()
        if rules is not self._listed:
            self._listed, self._models = rules, _models(rules)
            for model in self._turns.keys() - self._models.keys():
                del self._turns[model]
        return self._models

    def turn(self, model: str) -> int:
        """The state of the next decision on the model."""
        return self._turns.get(model, 0)

    def _count(self, provider: str) -> None:
        child = self._selected.get(provider)
        if child is None:
            child = self._selected[provider] = metrics.decisions.labels("route_select", provider)
        child.inc()


def rejected(
    rejection: Rejection | None, model: str, rules: Rules, states: Mapping[str, engine.ProviderState]
) -> PlatformError:
    """The engine's rejection in words."""
    if rejection is Rejection.MODEL_UNKNOWN:
        return PlatformError(Code.MODEL_NOT_FOUND, _unknown_model(model, rules), param="model")
    return PlatformError(Code.NO_HEALTHY_PROVIDERS, _none_usable(model, rules, states), retry_after=5)


def _unknown_model(model: str, rules: Rules) -> str:
    names = sorted(_models(rules))
    shown = ", ".join(names[:MODELS_SHOWN]) + (", …" if len(names) > MODELS_SHOWN else "")
    return (
        f"The model '{model}' is not served here. Use one of: {shown or 'none is configured'} (GET /v1/models); "
        "an administrator adds others to a provider's models."
    )


def _none_usable(model: str, rules: Rules, states: Mapping[str, engine.ProviderState]) -> str:
    serving = [rule.name for rule in rules.providers if rule.enabled and model in rule.models]
    described = "; ".join(f"{name}: {states[name].description}" for name in serving if name in states)
    return (
        f"No provider of the model '{model}' can be used now: {described}. "
        "Try again shortly; an administrator sees more at GET /health/providers."
    )


class Decisions:
    """The part of ``Routing`` that is about requests."""

    def __init__(
        self,
        router: Router,
        dry_run: Callable[[routing_pb2.DecideRequest], routing_pb2.Decision] | None = None,
    ) -> None:
        """``dry_run`` makes decisions that are explained, or by other rules."""
        self._router = router
        self._dry_run = dry_run

    async def decide(self, request: routing_pb2.DecideRequest) -> routing_pb2.Decision:
        """Decides without calling any provider."""
        if request.allowed_models and request.model not in request.allowed_models:
            raise PlatformError(
                Code.PERMISSION_DENIED, f"This key may not use the model '{request.model[:200]}'.", param="model"
            )
        if self._dry_run is not None and (request.explain or request.HasField("document")):
            return self._dry_run(request)
        route = self._router.decide(request.model)
        return routing_pb2.Decision(
            decision_id=ids.new_id("dec"),
            primary=route_target(route.primary),
            fallback=route_target(route.fallback) if route.fallback else None,
            matched_rules=route.matched_rules,
            strategy=route.strategy,
        )

    async def models(self, _request: common_pb2.Empty) -> routing_pb2.ModelList:
        return routing_pb2.ModelList(items=self._router.models.values())


class HeadRouting:
    """What head answers beside inference: implements ``Routing``."""

    def __init__(self, decisions: Decisions, rules: RuleMethods) -> None:
        self.decide = decisions.decide
        self.models = decisions.models
        self.rules = rules.rules
        self.put_rules = rules.put_rules
        self.restore_revision = rules.restore_revision
        self.import_rules = rules.import_rules
        self.list_revisions = rules.list_revisions
        self.get_revision = rules.get_revision


def _models(rules: Rules) -> dict[str, routing_pb2.Model]:
    """Each name once, owned by the provider that is preferred for it."""
    models: dict[str, routing_pb2.Model] = {}
    for rule in sorted(rules.providers, key=lambda rule: rule.priority):
        if rule.enabled:
            for name in rule.models:
                models.setdefault(name, routing_pb2.Model(id=name, owned_by=rule.name))
    return models


def route_target(target: Target) -> routing_pb2.RouteTarget:
    return routing_pb2.RouteTarget(provider=target.provider, upstream_model=target.upstream_model)
