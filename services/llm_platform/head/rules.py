"""The routing rules as the configuration file states them."""

from __future__ import annotations

from llm_platform.core.config import Config, Provider
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
    prices = {
        public: sum(config.billing.prices[f"{name}/{upstream}"])
        for public, upstream in models.items()
        if f"{name}/{upstream}" in config.billing.prices
    }
    return ProviderRule(
        name=name,
        models=models,
        enabled=provider.enabled,
        weight=provider.weight,
        priority=provider.priority,
        prices=prices,
    )
