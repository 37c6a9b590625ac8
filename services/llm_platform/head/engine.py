"""The routing engine: which provider serves a call, and which one stands by.

``route`` is a pure function of what it is given: no clock, no randomness, no I/O. The same inputs give
the same decision on every replica and in a replay.

Providers that serve the model and can be used are ranked by priority (lower first), then health, then the
strategy: ``round_robin`` takes turns by weight, ``performance`` prefers the higher share of recent calls that
succeeded, ``cost_optimized`` the lower price. The first is the primary; the next *other* one is the fallback.
A provider of weight 0 is only ever a fallback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec


class Strategy(StrEnum):
    ROUND_ROBIN = "round_robin"
    PERFORMANCE = "performance"
    COST_OPTIMIZED = "cost_optimized"


class ProviderRule(msgspec.Struct, frozen=True):
    """What the operator says of one provider."""

    name: str
    models: Mapping[str, str]
    """Public name -> the provider's own name."""
    enabled: bool = True
    weight: int = 1
    priority: int = 0
    prices: Mapping[str, int] = {}
    """Public name -> pico-dollars for one input and one output token together, where known."""


class Rules(msgspec.Struct, frozen=True):
    """The routing rules in force."""

    providers: tuple[ProviderRule, ...]
    strategy: Strategy = Strategy.ROUND_ROBIN
    failover: bool = True


class ProviderState(msgspec.Struct, frozen=True):
    """What is known of a provider's health."""

    usable: bool = True
    degraded: bool = False
    score: float = 1.0
    """Share of recent calls that succeeded, 0 to 1."""
    description: str = "healthy"


class Features(msgspec.Struct, frozen=True):
    """What of a request matters to its route."""

    model: str


class Target(msgspec.Struct, frozen=True):
    provider: str
    upstream_model: str


class Rejection(StrEnum):
    MODEL_UNKNOWN = "model_unknown"
    NO_PROVIDER_USABLE = "no_provider_usable"


class Decision(msgspec.Struct, frozen=True):
    """Where a call goes; ``primary`` is None when it is rejected."""

    primary: Target | None
    fallback: Target | None
    strategy: Strategy
    matched_rules: tuple[str, ...]
    rejection: Rejection | None = None


_UNKNOWN = ProviderState(description="not known yet, assumed healthy")
_DEAREST = 1 << 62


def route(features: Features, rules: Rules, health: Mapping[str, ProviderState], turn: int) -> Decision:
    """Decides. ``health`` may lack providers: they count as healthy. ``turn`` is the state: it counts up by one
    a decision on this model, and only ``round_robin`` looks at it."""
    serving = [rule for rule in rules.providers if rule.enabled and features.model in rule.models]
    matched = tuple(f"model:{features.model}->{rule.name}" for rule in serving)
    if not serving:
        return Decision(None, None, rules.strategy, matched, Rejection.MODEL_UNKNOWN)
    usable = _usable(serving, health)
    if not usable:
        return Decision(None, None, rules.strategy, matched, Rejection.NO_PROVIDER_USABLE)
    ranked = _ranked(usable, features.model, rules.strategy, health, turn)
    primary = _target(ranked[0], features.model)
    fallback = _target(ranked[1], features.model) if rules.failover and len(ranked) > 1 else None
    return Decision(primary, fallback, rules.strategy, matched)


def ranking(features: Features, rules: Rules, health: Mapping[str, ProviderState], turn: int) -> Sequence[ProviderRule]:
    """Everyone that could take the call, in the order of ``route``: the primary, the fallback, and the others."""
    serving = [rule for rule in rules.providers if rule.enabled and features.model in rule.models]
    usable = _usable(serving, health)
    return _ranked(usable, features.model, rules.strategy, health, turn) if usable else []


def _usable(serving: Sequence[ProviderRule], health: Mapping[str, ProviderState]) -> list[ProviderRule]:
    return [rule for rule in serving if health.get(rule.name, _UNKNOWN).usable]


def _ranked(
    usable: Sequence[ProviderRule],
    model: str,
    strategy: Strategy,
    health: Mapping[str, ProviderState],
    turn: int,
) -> list[ProviderRule]:
    if len(usable) == 1:
        return list(usable)

    def rank(rule: ProviderRule) -> tuple[bool, int, bool]:
        return (rule.weight == 0, rule.priority, health.get(rule.name, _UNKNOWN).degraded)

    ranked = sorted(usable, key=lambda rule: (rank(rule), _preference(rule, model, strategy, health), rule.name))
    if strategy is not Strategy.ROUND_ROBIN:
        return ranked
    equals = [rule for rule in ranked if rank(rule) == rank(ranked[0])]
    first = _taking_turns(equals, turn)
    at = equals.index(first)
    return [*equals[at:], *equals[:at], *ranked[len(equals) :]]


def _preference(
    rule: ProviderRule, model: str, strategy: Strategy, health: Mapping[str, ProviderState]
) -> tuple[float, int]:
    match strategy:
        case Strategy.PERFORMANCE:
            return (-health.get(rule.name, _UNKNOWN).score, -rule.weight)
        case Strategy.COST_OPTIMIZED:
            return (rule.prices.get(model, _DEAREST), -rule.weight)
        case Strategy.ROUND_ROBIN:
            return (0, 0)


def _taking_turns(equals: Sequence[ProviderRule], turn: int) -> ProviderRule:
    """Of every (sum of weights) turns in a row, each rule gets as many as its weight."""
    place = turn % max(1, sum(rule.weight for rule in equals))
    for rule in equals:
        if place < rule.weight:
            return rule
        place -= rule.weight
    return equals[0]


def _target(rule: ProviderRule, model: str) -> Target:
    return Target(rule.name, rule.models[model])
