"""The method about prices: the operator's own, or the one of calls to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from llm_platform.billing.periods import microseconds
from llm_platform.billing.pricing.book import PriceBook
from llm_platform.billing.pricing.price import Price
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2


class PriceRequests:
    def __init__(self, book: PriceBook, clock: Callable[[], float]) -> None:
        self._book = book
        self._clock = clock

    def find(self, query: ledger_pb2.PricesQuery) -> ledger_pb2.PricePage:
        """Raises INVALID_REQUEST, NOT_FOUND."""
        if bool(query.provider) != bool(query.model):
            raise PlatformError(Code.INVALID_REQUEST, "Name a provider and a model, or neither.", param="model")
        if not query.provider:
            return ledger_pb2.PricePage(items=self._own())
        at = microseconds("at", query.at) / 1_000_000 if query.at else self._clock()
        price = self._book.find(query.provider, query.model, at)
        if price is None:
            raise PlatformError(
                Code.NOT_FOUND, f"The price of model {query.model!r} at provider {query.provider!r} is not known."
            )
        found = ledger_pb2.ModelPrice(
            provider=query.provider, model=query.model, revision=price.revision, tiers=_tiers(price), currency="USD"
        )
        return ledger_pb2.PricePage(items=[found])

    def _own(self) -> Iterator[ledger_pb2.ModelPrice]:
        for name, price, starts_on, ends_on, currency in self._book.own:
            provider, _, model = name.partition("/")
            yield ledger_pb2.ModelPrice(
                provider=provider,
                model=model,
                revision=price.revision,
                tiers=_tiers(price),
                starts_at=_midnight(starts_on),
                ends_at=_midnight(ends_on),
                currency=currency,
            )


def _midnight(day: date | None) -> str:
    return f"{day}T00:00:00Z" if day else ""


def _tiers(price: Price) -> Iterator[ledger_pb2.PriceTier]:
    for tier in price.tiers:
        rates = tier.rates
        yield ledger_pb2.PriceTier(
            above=tier.above,
            input=rates.input,
            cached_input=rates.cached_input,
            cache_write=rates.cache_write,
            input_audio=rates.input_audio,
            output=rates.output,
            reasoning=rates.reasoning,
            output_audio=rates.output_audio,
            request=rates.request,
        )
