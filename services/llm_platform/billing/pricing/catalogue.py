"""The prices of ``genai-prices``, in our units.

Its data are all models of all providers there are: 12 MB and a sixth of a second. A service keeps only its own
providers: it has a process of its own read the data (``load_apart``), by
``python -m llm_platform.billing.pricing.catalogue``.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeAlias

from llm_platform.billing.pricing.price import MAX_PRICE, Price, Rates, Tier
from llm_platform.core.logging import get_logger

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelPrice, Provider

_KEEP_PROVIDERS = 1_000

Named: TypeAlias = tuple[str, str | None]
"""A provider as the operator knows it: its name and base URL."""

log = get_logger("billing.catalogue")


class UnbelievablePriceError(ValueError):
    """A price that is negative, not a number, or beyond MAX_PRICE."""


class Catalogue:
    """Finds providers by their base URL, else by the name the operator gave, and models by the library's rules.

    ``known`` are providers that were resolved before, each with those it borrows models from. The library's
    own look-up is not used: it keeps every name ever asked for, and names come from callers.
    """

    def __init__(self, known: Mapping[Named, list[Provider]] | None = None) -> None:
        self._revision = f"genai-prices-{version('genai-prices')}"
        self._known = dict(known or {})

    @cached_property
    def _snapshot(self) -> DataSnapshot:
        from genai_prices.data_snapshot import get_snapshot

        return get_snapshot()

    def find(self, provider: str, address: str | None, model: str, now: float) -> Price | None:
        """The price at ``now`` (seconds since 1970), None if there is none that can be believed."""
        resolved = self.resolve((provider, address))
        found = resolved[0].find_model(model, all_providers=resolved) if resolved else None
        if found is None:
            return None
        try:
            return model_price(self._revision, found.get_prices(datetime.fromtimestamp(now, UTC)))
        except UnbelievablePriceError as error:
            log.error("a price of genai-prices is not believed", provider=provider, model=model, reason=str(error))
            return None

    def resolve(self, named: Named) -> list[Provider]:
        """The provider, then those it borrows models from; empty if it is not in the data."""
        if named not in self._known:
            if len(self._known) > _KEEP_PROVIDERS:
                self._known.clear()
            provider = self._search(*named)
            borrowed = (provider.fallback_model_providers or ()) if provider else ()
            lenders = [each for each in self._snapshot.providers if each.id in borrowed] if borrowed else []
            self._known[named] = [provider, *lenders] if provider else []
        return self._known[named]

    def _search(self, name: str, address: str | None) -> Provider | None:
        for by in ({"provider_id": None, "provider_api_url": address}, {"provider_id": name, "provider_api_url": None}):
            if not any(by.values()):
                continue
            try:
                return self._snapshot.find_provider(None, **by)
            except LookupError:
                continue
        return None


async def load_apart(providers: Iterable[Named]) -> Catalogue:
    """A catalogue that holds these providers; others would have it load all the data after all."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llm_platform.billing.pricing.catalogue"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found, _ = await child.communicate(json.dumps(list(providers)).encode())
    if child.returncode != 0:
        log.warning("prices are loaded in this process", status=child.returncode)
        return Catalogue()
    return Catalogue(pickle.loads(found))  # noqa: S301 - written by our own child just now


def _resolve_apart() -> None:
    catalogue = Catalogue()
    known = {(name, address): catalogue.resolve((name, address)) for name, address in json.load(sys.stdin)}
    for provider in (provider for resolved in known.values() for provider in resolved):
        provider.extractors = provider.description = provider.price_comments = provider.pricing_urls = None
        for model in provider.models:
            model.name = model.description = model.price_comments = model.price_variants = None
    sys.stdout.buffer.write(pickle.dumps(known))


def model_price(revision: str, prices: ModelPrice) -> Price | None:
    """A price of genai-prices (dollars a million tokens) in our units; None if it has no price of input tokens.

    Raises UnbelievablePriceError.
    """
    values: dict[str, Any] = {name: value for name, value in vars(prices).items() if value is not None}
    if "input_mtok" not in values:
        return None
    starts = sorted({-1} | {tier.start for value in values.values() for tier in getattr(value, "tiers", ())})
    return Price(revision, tuple(Tier(start, _rates(values, start)) for start in starts))


def _rates(values: Mapping[str, Any], above: int) -> Rates:
    """The rates of calls with more than ``above`` input tokens. A part without a price costs what the whole does."""

    def price(name: str, default: int) -> int:
        return _pico_dollars(name, values[name], above, 1_000_000) if name in values else default

    input_, output = price("input_mtok", 0), price("output_mtok", 0)
    return replace(
        Rates.flat(input_, output),
        cached_input=price("cache_read_mtok", input_),
        cache_write=price("cache_write_mtok", input_),
        input_audio=price("input_audio_mtok", input_),
        reasoning=price("output_reasoning_mtok", output),
        output_audio=price("output_audio_mtok", output),
        request=_pico_dollars("requests_kcount", values["requests_kcount"], above, 1_000, most=10**15)
        if "requests_kcount" in values
        else 0,
    )


def _pico_dollars(name: str, value: Any, above: int, per: int, most: int = MAX_PRICE) -> int:
    if not isinstance(value, Decimal):
        applicable = [tier.price for tier in value.tiers if tier.start <= above]
        value = applicable[-1] if applicable else value.base
    if not value.is_finite() or value < 0:
        raise UnbelievablePriceError(f"{name} is {value}")
    pico = int((value * 10**12 / per).to_integral_value())
    if pico > most:
        raise UnbelievablePriceError(f"{name} is {value}")
    return pico


if __name__ == "__main__":
    _resolve_apart()
