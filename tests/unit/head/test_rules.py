"""The routing rules as the configuration states them, and the prices of the day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from structlog.testing import capture_logs

from llm_platform.core.config import Config
from llm_platform.core.config.prices import DatedPrice
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.head.routing import Router
from llm_platform.head.rules import DailyRules, own_price
from tests.unit.http.parts import NoProviders

DAY = date(2026, 12, 1)


def config(**billing: Any) -> Config:
    provider = {"type": "openai", "api_key": "x", "models": ["m"]}
    return Config.model_validate(
        {
            "listen": {"http": 0},
            "providers": {"a": provider, "b": provider},
            "routing": {"strategy": "cost_optimized"},
            "billing": billing,
        }
    )


def seconds(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def test_a_price_holds_from_its_day_on_without_a_restart() -> None:
    now = seconds("2026-11-30T23:59:59")
    dearer = [{"input": 1, "output": 1}, {"from": "2026-12-01", "input": 9, "output": 9}]
    router = Router(
        DailyRules(config(prices={"a/m": dearer, "b/m": [2, 2]}), lambda: now),
        ProviderHealth(NoProviders()),
    )
    assert router.decide("m").primary.provider == "a"
    now += 1
    assert router.decide("m").primary.provider == "b"


def test_a_rate_holds_from_its_day_on() -> None:
    settings = config(
        prices={"a/m": [{"input": 10, "output": 20, "currency": "EUR"}]},
        currencies={"EUR": [{"usd": 2}, {"from": "2026-12-01", "usd": 3}]},
    )
    assert [own_price(settings, "a", "m", day) for day in (date(2026, 11, 30), DAY)] == [60, 90]


def test_the_price_of_all_models_of_a_provider_holds_where_the_model_has_none() -> None:
    settings = config(prices={"a/*": [1, 2], "a/m": [{"from": "2026-12-02", "input": 5, "output": 5}], "b/m": [3, 4]})
    assert [own_price(settings, "a", "m", day) for day in (DAY, date(2026, 12, 2))] == [3, 10]
    assert [own_price(settings, "b", model, DAY) for model in ("m", "other")] == [7, None]


def test_a_currency_without_a_rate_is_no_dollar() -> None:
    settings = config()
    euros = DatedPrice(input=10, output=20, currency="EUR")
    # A configuration file with it is refused; head does not depend on that.
    settings = settings.model_copy(update={"billing": settings.billing.model_copy(update={"prices": {"a/m": [euros]}})})
    with capture_logs() as logs:
        assert own_price(settings, "a", "m", DAY) is None
    assert [(line["log_level"], line["currency"]) for line in logs] == [("warning", "EUR")]


def test_a_dollar_is_a_dollar_whatever_its_rate_is_said_to_be() -> None:
    settings = config(prices={"a/m": [10, 20]}, currencies={"USD": [{"usd": 2}]})
    assert own_price(settings, "a", "m", DAY) == 30
