"""The routing rules as the configuration file states them."""

from __future__ import annotations

from datetime import UTC, datetime

from llm_platform.core.config import Config, Provider
from llm_platform.core.config.prices import dated, in_force
from llm_platform.head.engine import ProviderRule, Rules, Strategy


def rules_from(config: Config) -> Rules:
    """Rules of this configuration, providers in the order of the file."""
    return Rules(
        providers=tuple(_rule(name, provider, config) for name, provider in config.providers.items()),
        strategy=Strategy(config.routing.strategy),
        failover=config.routing.failover_enabled,
    )


def _rule(name: str, provider: Provider, config: Config) -> ProviderRule:
    models = provider.models if isinstance(provider.models, dict) else {model: model for model in provider.models}
    stated = {public: own_price(config, name, upstream) for public, upstream in models.items()}
    prices = {public: price for public, price in stated.items() if price is not None}
    return ProviderRule(
        name=name,
        models=models,
        enabled=provider.enabled,
        weight=provider.weight,
        priority=provider.priority,
        prices=prices,
    )


def own_price(config: Config, provider: str, model: str) -> int | None:
    """Input and output together, in pico-dollars a token as of today; None: the operator has stated none."""
    today = datetime.now(UTC).date()
    price = in_force(dated(config.billing.prices.get(f"{provider}/{model}", ())), today)
    if price is None:
        return None
    rate = in_force(config.billing.currencies.get(price.currency, ()), today)
    return round((price.input + price.output) * (rate.usd if rate else 1))
