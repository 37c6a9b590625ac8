"""The routing rules as a configuration states them: the file's, or one with the store's in place (``store``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime

from llm_platform.core.config import Config, Provider
from llm_platform.core.config.prices import dated, dollars_a_unit, in_force
from llm_platform.core.logging import get_logger
from llm_platform.head.engine import ProviderRule, Rules, Strategy

_DAY_SECONDS = 86_400

log = get_logger("head")


class DailyRules:
    """The rules of now: prices and rates begin on days, in UTC. ``clock`` gives Unix seconds."""

    def __init__(self, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._served: frozenset[str] | None = None
        self._clock = clock
        self._day = int(clock() // _DAY_SECONDS)
        self._rules = self._of_the_day()

    def __call__(self) -> Rules:
        day = int(self._clock() // _DAY_SECONDS)
        if day != self._day:
            self._day = day
            self._rules = self._of_the_day()
        return self._rules

    def take(self, config: Config, served: frozenset[str] | None) -> None:
        """Others from now on. Of ``served`` providers only (None: of all of them) calls are given out."""
        self._config = config
        self._served = served
        self._rules = self._of_the_day()

    def of(self, config: Config) -> Rules:
        """What the rules would be with these definitions."""
        return rules_from(config, self._today())

    def _of_the_day(self) -> Rules:
        return rules_from(self._config, self._today(), self._served)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._day * _DAY_SECONDS, UTC).date()


def rules_from(config: Config, day: date, served: frozenset[str] | None = None) -> Rules:
    """Rules of this configuration, providers in the order of the file; only the ``served`` (None: all)."""
    return Rules(
        providers=tuple(
            _rule(name, provider, config, day)
            for name, provider in config.providers.items()
            if served is None or name in served
        ),
        strategy=Strategy(config.routing.strategy),
        failover=config.routing.failover_enabled,
    )


def _rule(name: str, provider: Provider, config: Config, day: date) -> ProviderRule:
    models = provider.models if isinstance(provider.models, dict) else {model: model for model in provider.models}
    stated = {public: own_price(config, name, upstream, day) for public, upstream in models.items()}
    prices = {public: price for public, price in stated.items() if price is not None}
    return ProviderRule(
        name=name,
        models=models,
        enabled=provider.enabled,
        weight=provider.weight,
        priority=provider.priority,
        prices=prices,
    )


def own_price(config: Config, provider: str, model: str, day: date) -> int | None:
    """Input and output together, in pico-dollars a token; None: the operator has stated none.

    As billing finds it: of the model, else of all models of the provider.
    """
    billing = config.billing
    for name in (f"{provider}/{model}", f"{provider}/*"):
        price = in_force(dated(billing.prices.get(name, ())), day)
        if price is None:
            continue
        usd = dollars_a_unit(price.currency, billing.currencies, day)
        if usd is None:
            log.warning("a price is unknown: its currency has no rate", price=name, currency=price.currency)
            return None
        return round((price.input + price.output) * usd)
    return None
