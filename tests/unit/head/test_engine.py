"""The routing engine: properties that hold for any rules, and each strategy's order."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from llm_platform.head.engine import Features, ProviderRule, ProviderState, Rejection, Rules, Strategy, Target, route

NAMES = ["a", "b", "c", "d"]
MODELS = ["m1", "m2"]
DOWN = ProviderState(usable=False, description="down")
DEGRADED = ProviderState(degraded=True)

rule = st.builds(
    ProviderRule,
    name=st.sampled_from(NAMES),
    models=st.dictionaries(st.sampled_from(MODELS), st.sampled_from(["u1", "u2"])),
    enabled=st.booleans(),
    weight=st.integers(0, 3),
    priority=st.integers(-1, 2),
    prices=st.dictionaries(st.sampled_from(MODELS), st.integers(0, 100)),
)
rules = st.builds(
    Rules,
    providers=st.lists(rule, max_size=4, unique_by=lambda each: each.name).map(tuple),
    strategy=st.sampled_from(Strategy),
    failover=st.booleans(),
)
health = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(ProviderState, usable=st.booleans(), degraded=st.booleans(), score=st.floats(0, 1)),
)
features = st.builds(Features, model=st.sampled_from([*MODELS, "unknown"]))
turn = st.integers(0, 1000)


@given(features, rules, health, turn)
def test_a_target_is_an_enabled_usable_provider_under_its_own_name_of_the_model(
    features: Features, rules: Rules, health: dict[str, ProviderState], turn: int
) -> None:
    decision = route(features, rules, health, turn)
    by_name = {rule.name: rule for rule in rules.providers}
    for target in filter(None, (decision.primary, decision.fallback)):
        chosen = by_name[target.provider]
        assert chosen.enabled
        assert chosen.models[features.model] == target.upstream_model
        assert health.get(target.provider, ProviderState()).usable


@given(features, rules, health, turn)
def test_the_fallback_is_another_provider_and_only_there_with_failover(
    features: Features, rules: Rules, health: dict[str, ProviderState], turn: int
) -> None:
    decision = route(features, rules, health, turn)
    if decision.fallback is not None:
        assert rules.failover
        assert decision.primary is not None
        assert decision.fallback.provider != decision.primary.provider


@given(features, rules, health, turn)
def test_a_call_is_rejected_exactly_when_nobody_can_serve_it(
    features: Features, rules: Rules, health: dict[str, ProviderState], turn: int
) -> None:
    decision = route(features, rules, health, turn)
    serving = [rule for rule in rules.providers if rule.enabled and features.model in rule.models]
    usable = [rule for rule in serving if health.get(rule.name, ProviderState()).usable]
    expected = None if usable else Rejection.NO_PROVIDER_USABLE if serving else Rejection.MODEL_UNKNOWN
    assert decision.rejection is expected
    assert (decision.primary is None) == (expected is not None)


@given(features, rules, health, turn)
def test_the_same_inputs_give_the_same_decision_byte_for_byte_in_any_order_of_the_health(
    features: Features, rules: Rules, health: dict[str, ProviderState], turn: int
) -> None:
    turned = dict(reversed(health.items()))
    once, again = route(features, rules, health, turn), route(features, rules, turned, turn)
    assert msgspec.json.encode(once) == msgspec.json.encode(again)


@given(rules, turn)
def test_priority_comes_before_everything_but_weight_zero(rules: Rules, turn: int) -> None:
    decision = route(Features("m1"), rules, {}, turn)
    serving = [rule for rule in rules.providers if rule.enabled and "m1" in rule.models]
    if decision.primary is None:
        return
    primary = next(rule for rule in serving if rule.name == decision.primary.provider)
    weighted = [rule for rule in serving if rule.weight] or serving
    assert primary.priority == min(rule.priority for rule in weighted)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 500))
def test_round_robin_gives_each_provider_its_weight_in_any_full_round(weights: list[int], first: int) -> None:
    providers = tuple(ProviderRule(NAMES[i], {"m1": "u"}, weight=weight) for i, weight in enumerate(weights))
    chosen = Counter(
        target.provider
        for turn in range(first, first + sum(weights))
        if (target := route(Features("m1"), Rules(providers), {}, turn).primary)
    )
    assert chosen == {rule.name: rule.weight for rule in providers}


def primary(strategy: Strategy, *providers: ProviderRule, **health: ProviderState) -> Target | None:
    return route(Features("m1"), Rules(providers, strategy), health, 0).primary


def test_performance_prefers_the_higher_share_of_successes() -> None:
    a, b = ProviderRule("a", {"m1": "u"}), ProviderRule("b", {"m1": "u"})
    assert primary(Strategy.PERFORMANCE, a, b, a=ProviderState(score=0.5), b=ProviderState(score=0.9)) == Target(
        "b", "u"
    )


def test_cost_prefers_the_lower_price_and_a_known_one() -> None:
    a = ProviderRule("a", {"m1": "u"})
    b = ProviderRule("b", {"m1": "u"}, prices={"m1": 7})
    c = ProviderRule("c", {"m1": "u"}, prices={"m1": 5})
    assert primary(Strategy.COST_OPTIMIZED, a, b, c) == Target("c", "u")
    assert primary(Strategy.COST_OPTIMIZED, a, b) == Target("b", "u")


def test_a_degraded_provider_stands_behind_a_healthy_one_of_its_priority() -> None:
    a, b = ProviderRule("a", {"m1": "u"}), ProviderRule("b", {"m1": "u"})
    assert primary(Strategy.ROUND_ROBIN, a, b, a=DEGRADED) == Target("b", "u")


def test_a_degraded_provider_serves_when_it_is_all_there_is() -> None:
    assert primary(Strategy.ROUND_ROBIN, ProviderRule("a", {"m1": "u"}), a=DEGRADED) == Target("a", "u")


def test_a_provider_that_is_down_is_passed_over_for_a_lower_priority() -> None:
    a, b = ProviderRule("a", {"m1": "u"}), ProviderRule("b", {"m1": "u"}, priority=9)
    assert primary(Strategy.ROUND_ROBIN, a, b, a=DOWN) == Target("b", "u")
