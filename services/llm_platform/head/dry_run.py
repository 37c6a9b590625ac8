"""Decisions that nobody is called for, with why each provider is chosen, stands by or is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llm_platform.core import ids
from llm_platform.head.engine import Features, ProviderRule, ProviderState, Rules, Strategy, ranking, route
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.head.routing import Router, rejected, route_target
from llm_platform.head.store.in_force import RulesInForce
from llm_platform.proto import routing_pb2
from llm_platform.proto.routing_pb2 import Explanation

_PICO_A_MICRO = 1_000_000
_HEALTHY = ProviderState()


class DryRun:
    """Takes no turn and is not counted: what comes next stays as it would be."""

    def __init__(self, router: Router, rules: RulesInForce, health: ProviderHealth) -> None:
        self._router = router
        self._rules = rules
        self._health = health

    def decide(self, request: routing_pb2.DecideRequest) -> routing_pb2.Decision:
        """Raises INVALID_REQUEST for rules that could not be put."""
        states: Mapping[str, ProviderState]
        if request.HasField("document"):
            rules, states = self._rules.of(request.document), self._health.states
        else:
            rules, missing = self._rules.all()
            absent = ProviderState(usable=False, description="model-proxy does not have its definition yet")
            states = {**self._health.states, **dict.fromkeys(missing, absent)}
        turn = self._router.turn(request.model)
        decision = route(Features(request.model), rules, states, turn)
        refusal = None
        if decision.primary is None:
            refusal = rejected(decision.rejection, request.model, rules, states)
        return routing_pb2.Decision(
            decision_id=ids.new_id("dec"),
            primary=route_target(decision.primary) if decision.primary else None,
            fallback=route_target(decision.fallback) if decision.fallback else None,
            matched_rules=decision.matched_rules,
            strategy=rules.strategy.value,
            explanation=_explained(request.model, rules, states, turn),
            rejection=refusal.message if refusal else "",
        )


def _explained(model: str, rules: Rules, states: Mapping[str, ProviderState], turn: int) -> Iterator[Explanation]:
    ranked = ranking(Features(model), rules, states, turn)
    for place, rule in enumerate(ranked):
        outcome = "chosen" if place == 0 else "standby" if rules.failover else "left_out"
        reasons = [_place(place, len(ranked), failover=rules.failover), *_merits(rule, model, rules, states)]
        yield Explanation(provider=rule.name, outcome=outcome, reason="; ".join(reasons))
    chosen = {rule.name for rule in ranked}
    for rule in rules.providers:
        if rule.name not in chosen:
            yield Explanation(provider=rule.name, outcome="left_out", reason=_lack(rule, model, states))


def _place(place: int, count: int, *, failover: bool) -> str:
    if place == 0:
        return "the only one that can be used" if count == 1 else "first by the rules"
    if not failover:
        return "failover is off"
    return "takes the call if the first one fails" if place == 1 else "takes calls while those before cannot be used"


def _merits(rule: ProviderRule, model: str, rules: Rules, states: Mapping[str, ProviderState]) -> Iterator[str]:
    state = states.get(rule.name, _HEALTHY)
    yield "weight 0: only ever a fallback" if rule.weight == 0 else f"weight {rule.weight}"
    yield f"priority {rule.priority}"
    if state.degraded:
        yield state.description
    if rules.strategy is Strategy.PERFORMANCE:
        yield f"{state.score:.0%} of recent calls succeeded"
    if rules.strategy is Strategy.COST_OPTIMIZED:
        price = rule.prices.get(model)
        yield (
            "no own price: after those that have one"
            if price is None
            else (f"${price / _PICO_A_MICRO:g} for a million input and output tokens")
        )


def _lack(rule: ProviderRule, model: str, states: Mapping[str, ProviderState]) -> str:
    if not rule.enabled:
        return "disabled"
    if model not in rule.models:
        return "does not serve the model"
    return states[rule.name].description
