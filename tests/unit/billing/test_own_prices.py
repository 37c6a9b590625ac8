"""Prices with the days they begin on, and in other currencies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llm_platform.billing.app import open_ledger
from llm_platform.billing.pricing.own import OwnPrices
from llm_platform.core.config import Billing, Config, Service
from llm_platform.core.config.file import ConfigError, load
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import entries, outcome, record, reserve, reserve_each
from tests.unit.billing.conftest import Clock


def billing(prices: object, currencies: object = None, **more: Any) -> Billing:
    return Billing.model_validate({"prices": {"p/m": prices}, "currencies": currencies or {}, **more})


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def inputs(own: OwnPrices, *times: str) -> list[int | None]:
    found = [own.find("p", "m", at(time)) for time in times]
    return [price and price.tiers[0].rates.input for price in found]


def test_the_price_of_the_last_day_that_has_come_holds_from_midnight_in_utc() -> None:
    own = OwnPrices(
        billing(
            [
                {"from": "2026-01-01", "input": 10, "output": 1},
                {"from": "2026-03-01", "input": 20, "output": 1},
                {"from": "2028-02-29", "input": 30, "output": 1},
            ]
        )
    )
    assert inputs(own, "2025-12-31T23:59:59", "2026-01-01", "2026-02-28T23:59:59", "2026-03-01", "2030-01-01") == [
        None,
        10,
        10,
        20,
        30,
    ]


def test_a_part_without_a_price_costs_what_the_whole_does() -> None:
    own = OwnPrices(billing([{"input": 10, "output": 20, "cached_input": 1, "output_audio": 99, "request": 7}]))
    price = own.find("p", "m", 0.0)
    assert price is not None
    rates = price.tiers[0].rates
    assert (rates.cached_input, rates.cache_write, rates.input_audio) == (1, 10, 10)
    assert (rates.output, rates.reasoning, rates.output_audio, rates.request) == (20, 20, 99, 7)


def test_a_price_in_another_currency_follows_its_fixed_rates_rounded_half_to_even() -> None:
    own = OwnPrices(
        billing(
            [{"input": 25, "output": 2, "currency": "EUR"}, {"from": "2026-06-01", "input": 7, "output": 1}],
            {"EUR": [{"usd": "1.1"}, {"from": "2026-02-01", "usd": 1.3}]},
        )
    )
    assert inputs(own, "2025-01-01", "2026-01-31", "2026-02-01", "2026-06-01") == [28, 28, 32, 7]
    assert [(each.starts_on, each.ends_on, each.currency) for each in own][-1][2] == "USD"


@pytest.mark.case(9)
@pytest.mark.parametrize(
    ("yaml", "line", "says"),
    [
        ("- {input: -1, output: 2}", 4, "prices.p/m[0].input"),
        ("- {input: .nan, output: 2}", 4, "prices.p/m[0].input"),
        ("- {input: .inf, output: 2}", 4, "prices.p/m[0].input"),
        ("- {input: 1.5, output: 2}", 4, "prices.p/m[0].input"),
        ("- {input: 10000000001, output: 2}", 4, "prices.p/m[0].input"),
        ("- {input: 1, output: 2, cahced_input: 1}", 4, "cahced_input"),
        ("- {input: 1}", 4, "prices.p/m[0].output"),
        ("- {from: 2026-02-30, input: 1, output: 2}", 4, "prices.p/m[0].from"),
        ("- {input: 1, output: 2, currency: euro}", 4, "prices.p/m[0].currency"),
        (
            "- {from: 2026-01-01, input: 1, output: 2}\n    - {from: 2026-01-01, input: 3, output: 2}",
            4,
            "different days",
        ),
        (
            "- {from: 2026-02-01, input: 1, output: 2}\n    - {from: 2026-01-01, input: 3, output: 2}",
            4,
            "different days",
        ),
        ("- {input: 1, output: 2}\n    - {input: 3, output: 2}", 4, "different days"),
    ],
)
def test_a_price_that_cannot_be_is_refused_with_file_line_and_key(
    tmp_path: Path, yaml: str, line: int, says: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"billing:\n  prices:\n    p/m:\n    {yaml}\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    text = str(caught.value)
    assert says in text
    assert f"{file}:{line}" in text or f"{file}:3" in text


@pytest.mark.case(9)
@pytest.mark.parametrize(
    ("currencies", "says"),
    [
        ({}, "no rate"),
        ({"EUR": [{"from": "2026-05-01", "usd": 1}]}, "no rate"),
        ({"EUR": [{"usd": 0}]}, "greater than 0"),
        ({"EUR": [{"usd": -1}]}, "greater than 0"),
        ({"EUR": [{"usd": "NaN"}]}, "finite"),
        ({"EUR": [{"usd": "Infinity"}]}, "finite"),
        ({"EUR": [{"usd": 1}, {"usd": 2}]}, "different days"),
        ({"EUR": []}, "at least 1"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(currencies: object, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        billing([{"from": "2026-01-01", "input": 1, "output": 1, "currency": "EUR"}], currencies)


@pytest.mark.case(9)
def test_a_price_that_its_rate_makes_unbelievable_is_refused() -> None:
    with pytest.raises(PlatformError) as caught:
        OwnPrices(billing([{"input": 10**10, "output": 1, "currency": "EUR"}], {"EUR": [{"usd": 2}]}))
    assert caught.value.param == "billing.prices.p/m"


async def test_a_call_costs_what_held_when_it_was_sent(tmp_path: Path, clock: Clock) -> None:
    own = billing([{"input": 1_000_000, "output": 0}, {"from": "2026-01-02", "input": 5_000_000, "output": 0}])
    async with open_ledger(Config(service=Service(data_dir=tmp_path), billing=own), clock=clock) as ledger:
        amounts = []
        clock.now += 2 * 86_400
        for sent_at in (
            "2026-01-01T23:59:59.999Z",
            "2026-01-02T00:00:00Z",
            "",
            "nonsense",
            "2099-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
        ):
            call = reserve(provider="p", model="m")
            await reserve_each(ledger, call)
            done = outcome(call, input_tokens=1)
            done.sent_at = sent_at
            await record(ledger, done)
            amounts.append((await entries(ledger, "settle"))[-1].amount)
        assert amounts == [1_000, 5_000, 5_000, 5_000, 5_000, 5_000]
        (price,) = (await ledger.prices(ledger_pb2.PricesQuery(provider="p", model="m"))).items
        assert price.tiers[0].input == 5_000_000
        asked = ledger_pb2.PricesQuery(provider="p", model="m", at="2026-01-01T12:00:00Z")
        assert (await ledger.prices(asked)).items[0].tiers[0].input == 1_000_000
        listed = (await ledger.prices(ledger_pb2.PricesQuery())).items
        assert [(each.model, each.starts_at, each.ends_at) for each in listed] == [
            ("m", "", "2026-01-02T00:00:00Z"),
            ("m", "2026-01-02T00:00:00Z", ""),
        ]
        for wrong, code in (
            ({"provider": "p"}, Code.INVALID_REQUEST),
            ({"provider": "q", "model": "m"}, Code.NOT_FOUND),
        ):
            with pytest.raises(PlatformError) as caught:
                await ledger.prices(ledger_pb2.PricesQuery(**wrong))
            assert caught.value.code == code


@pytest.mark.case(9)
async def test_a_model_without_a_price_costs_the_default_where_that_is_the_policy(tmp_path: Path) -> None:
    own = Billing(unknown_price="default", default_price=[7_000_000, 0])
    async with open_ledger(Config(service=Service(data_dir=tmp_path), billing=own)) as ledger:
        call = reserve(provider="nobody", model="x")
        await reserve_each(ledger, call)
        await record(ledger, outcome(call, input_tokens=2))
        (settle,) = await entries(ledger, "settle")
        assert (settle.amount, settle.price_revision) == (14_000, "default")
    for wrong in ({"unknown_price": "default"}, {"default_price": [1, 2]}):
        with pytest.raises(ValidationError, match="default_price"):
            Billing.model_validate(wrong)
