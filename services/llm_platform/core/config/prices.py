"""Prices as the configuration states them: with the days they begin on, and in currencies with fixed rates.

A price is in millionths of a millionth (pico) of its currency a token. The last entry of a list whose day has come
holds, from midnight in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

USD = "USD"

PicoUnits = Annotated[int, Field(ge=0, le=10_000_000_000)]
"""The price of a token; billing's own bound (``billing/pricing/price.py``), so that a file is refused with its line."""
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Dated(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    starts_on: date | None = Field(None, alias="from", description="The first day, in UTC; none: always before.")


class DatedPrice(_Dated):
    """What is not given costs what the whole it is a part of does."""

    input: PicoUnits
    output: PicoUnits
    cached_input: PicoUnits | None = None
    cache_write: PicoUnits | None = None
    input_audio: PicoUnits | None = None
    reasoning: PicoUnits | None = None
    output_audio: PicoUnits | None = None
    request: Annotated[int, Field(ge=0, le=10**15)] = Field(0, description="A call.")
    currency: Currency = USD


class Rate(_Dated):
    usd: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Field(description="US dollars that one unit is worth.")


Dated = TypeVar("Dated", bound=_Dated)


def _in_order(each: Sequence[Dated]) -> Sequence[Dated]:
    days = [one.starts_on or date.min for one in each]
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise PydanticCustomError("odd_value", "must begin on different days, in order: only the first may have no day")
    return each


def _form(value: Any) -> str:
    dated = isinstance(value, list) and any(isinstance(each, dict | DatedPrice) for each in value)
    return "dated" if dated else "short"


ShortPrice = Annotated[list[PicoUnits], Field(min_length=2, max_length=2)]
DatedPrices = Annotated[list[DatedPrice], Field(min_length=1), AfterValidator(_in_order)]
Prices = Annotated[Annotated[ShortPrice, Tag("short")] | Annotated[DatedPrices, Tag("dated")], Discriminator(_form)]
Rates = Annotated[list[Rate], Field(min_length=1), AfterValidator(_in_order)]


def dated(prices: Sequence[int] | Sequence[DatedPrice]) -> Sequence[DatedPrice]:
    """The short form, [input, output], as what it is short for."""
    short = [each for each in prices if isinstance(each, int)]
    if short:
        return [DatedPrice.model_construct(input=short[0], output=short[1])]  # checked already
    return [each for each in prices if isinstance(each, DatedPrice)]


def in_force(each: Sequence[Dated], day: date) -> Dated | None:
    """The last that has begun by ``day``."""
    return next((one for one in reversed(each) if (one.starts_on or date.min) <= day), None)


def dollars_a_unit(currency: str, rates: Mapping[str, Sequence[Rate]], day: date) -> Decimal | None:
    """None: the currency has no rate on that day."""
    if currency == USD:
        return Decimal(1)
    rate = in_force(rates.get(currency, ()), day)
    return rate.usd if rate is not None else None


def refuse_unknown_currencies(
    prices: Mapping[str, Sequence[int] | Sequence[DatedPrice]], rates: Mapping[str, Sequence[Rate]]
) -> None:
    """Raises PydanticCustomError for a price in a currency that has no rate, or none yet, when the price begins."""
    for name, stated in prices.items():
        for price in dated(stated):
            if dollars_a_unit(price.currency, rates, price.starts_on or date.min) is None:
                raise PydanticCustomError(
                    "odd_value",
                    "{message}",
                    {
                        "message": f"prices.{name} is in {price.currency}, for which currencies.{price.currency} "
                        f"has no rate {f'on {price.starts_on}' if price.starts_on else 'that always held'}"
                    },
                )
