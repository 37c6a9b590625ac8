"""The operator's prices, in dollars: of each model those that followed each other, by the rates of their days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from hashlib import sha256
from typing import NamedTuple

from llm_platform.billing.pricing.price import MAX_PRICE, Price, Rates, Tier
from llm_platform.core.config.model import Billing
from llm_platform.core.config.prices import DatedPrice, Rate, dated, dollars_a_unit, in_force
from llm_platform.core.errors import Code, PlatformError


class Stated(NamedTuple):
    """A price in force from ``starts_on`` to the day before ``ends_on``; None: always before, and for good."""

    name: str
    price: Price
    starts_on: date | None
    ends_on: date | None
    currency: str


class OwnPrices:
    """Of the configuration. Raises PlatformError, with the place, for what is no price."""

    def __init__(self, billing: Billing) -> None:
        digest = sha256(repr((sorted(billing.prices.items()), sorted(billing.currencies.items()))).encode())
        self._revision = f"config-{digest.hexdigest()[:12]}"
        self._stated = {
            name: list(_stated(name, dated(prices), billing.currencies, self._revision))
            for name, prices in billing.prices.items()
        }

    def find(self, provider: str, model: str, now: float) -> Price | None:
        """The price of the model, else of all models of the provider. ``now`` in seconds."""
        for name in (f"{provider}/{model}", f"{provider}/*"):
            if stated := self._stated.get(name):
                day = datetime.fromtimestamp(now, UTC).date()
                for each in reversed(stated):
                    if (each.starts_on or date.min) <= day:
                        return each.price
        return None

    def __iter__(self) -> Iterator[Stated]:
        for stated in self._stated.values():
            yield from stated


def _stated(
    name: str, prices: Sequence[DatedPrice], currencies: Mapping[str, Sequence[Rate]], revision: str
) -> Iterator[Stated]:
    """One for each time between two changes, of the price or of its currency's rate."""
    place = f"billing.prices.{name}"
    provider, _, model = name.partition("/")
    if not provider or not model:
        raise PlatformError(Code.INVALID_REQUEST, f"{place}: the name must be PROVIDER/MODEL.", param=place)
    rates = {name: currencies.get(name, ()) for name in {price.currency for price in prices}}
    begin = prices[0].starts_on or date.min
    changes = {price.starts_on or date.min for price in prices}
    changes |= {rate.starts_on for each in rates.values() for rate in each if rate.starts_on and rate.starts_on > begin}
    days = sorted(changes)
    for day, end in zip(days, (*days[1:], None), strict=True):
        price = in_force(prices, day)
        if price is None:
            raise AssertionError("a price begins on the first of these days")
        usd = dollars_a_unit(price.currency, rates, day)
        if usd is None:
            raise PlatformError(Code.INVALID_REQUEST, f"{place}: {price.currency} has no rate on {day}.", param=place)
        rates_of_tokens = _in_dollars(place, price, usd)
        starts_on = None if day == date.min else day
        yield Stated(name, Price(revision, (Tier(-1, rates_of_tokens),)), starts_on, end, price.currency)


def _in_dollars(place: str, price: DatedPrice, usd: Decimal) -> Rates:
    def pico(which: str, default: int) -> int:
        value = getattr(price, which)
        if value is None:
            return default
        dollars = int((value * usd).to_integral_value(ROUND_HALF_EVEN))
        if not 0 <= dollars <= (10**15 if which == "request" else MAX_PRICE):
            raise PlatformError(
                Code.INVALID_REQUEST,
                f"{place}: the {which} price {dollars} is not between 0 and {MAX_PRICE} pico-dollars a token "
                f"(one dollar a million tokens is 1000000).",
                param=place,
            )
        return dollars

    input_, output = pico("input", 0), pico("output", 0)
    return Rates(
        input_,
        pico("cached_input", input_),
        pico("cache_write", input_),
        pico("input_audio", input_),
        output,
        pico("reasoning", output),
        pico("output_audio", output),
        pico("request", 0),
    )
