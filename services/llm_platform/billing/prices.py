"""What a token costs: integer pico-dollars, by provider and model.

Own prices of the configuration win, then the built-in price of ``echo``, then the data of
``genai-prices`` (embedded in the package, so no network is needed). A price outside what can be
believed is refused when it is loaded: a malformed price must never bill nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import common_pb2

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelPrice, Provider

MAX_PRICE = 10_000_000_000
"""Pico-dollars a token ($10,000 a million tokens). Nothing costs a tenth of it; more is a mistake."""
_KEEP_SECONDS = 60
"""How long a looked-up price is used: prices that depend on the hour change at full minutes."""
_KEEP_MODELS = 4096

log = get_logger("billing.prices")


class UnbelievablePriceError(ValueError):
    """A price that is negative, not a number, or beyond MAX_PRICE."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars a token; ``request`` a call."""

    input: int
    cached_input: int
    cache_write: int
    input_audio: int
    output: int
    reasoning: int
    output_audio: int
    request: int = 0

    @classmethod
    def flat(cls, input_: int, output: int) -> Rates:
        """Every kind of token at the price of its direction."""
        return cls(input_, input_, input_, input_, output, output, output)

    @property
    def highest_input(self) -> int:
        return max(self.input, self.cached_input, self.cache_write, self.input_audio)

    @property
    def highest_output(self) -> int:
        return max(self.output, self.reasoning, self.output_audio)


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of *all* tokens of a call with more than ``above`` input tokens; the first tier has -1."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model at one time, and where it came from."""

    revision: str
    tiers: tuple[Tier, ...]

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """Pico-dollars that no call with at most these tokens passes, whatever they turn out to be."""
        return max(
            input_tokens * tier.rates.highest_input + output_tokens * tier.rates.highest_output + tier.rates.request
            for tier in self.tiers
            if tier.above < input_tokens or tier.above < 0
        )

    def cost(self, usage: common_pb2.Usage) -> int:
        """Pico-dollars. Each token is counted once, at the price of what it is.

        Cached, cache-write and audio tokens are parts of the input, reasoning and audio tokens of the
        output. Parts that add up to more than the whole are cut to it.
        """
        input_tokens, output_tokens = usage.input_tokens, usage.output_tokens
        rates = self.tiers[0].rates if len(self.tiers) == 1 else self._rates(input_tokens)
        if not input_tokens and not output_tokens:
            return 0
        cached = min(usage.cached_input_tokens, input_tokens)
        written = min(usage.cache_write_tokens, input_tokens - cached)
        heard = min(usage.input_audio_tokens, input_tokens - cached - written)
        thought = min(usage.reasoning_tokens, output_tokens)
        spoken = min(usage.output_audio_tokens, output_tokens - thought)
        return (
            (input_tokens - cached - written - heard) * rates.input
            + cached * rates.cached_input
            + written * rates.cache_write
            + heard * rates.input_audio
            + (output_tokens - thought - spoken) * rates.output
            + thought * rates.reasoning
            + spoken * rates.output_audio
            + rates.request
        )

    def _rates(self, input_tokens: int) -> Rates:
        return next(tier.rates for tier in reversed(self.tiers) if input_tokens > tier.above)


def flat_price(revision: str, input_: int, output: int) -> Price:
    return Price(revision, (Tier(-1, Rates.flat(input_, output)),))


ECHO = flat_price("builtin-1", 1_000_000, 2_000_000)
"""The built-in provider costs $1 a million input tokens and $2 a million output tokens, so that money
can be followed from end to end without a provider."""

UNPRICED = flat_price("unpriced", 0, 0)
"""Marks entries of models without a price (``billing.unknown_price: free``)."""


class PriceBook:
    """Finds prices. Raises PlatformError at construction when a configured price is unbelievable."""

    def __init__(self, config: Config, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._own = _own_prices(config.billing.prices)
        self._echoes = {name for name, provider in config.providers.items() if provider.type == "echo"} | {"echo"}
        self._addresses = {name: provider.base_url for name, provider in config.providers.items()}
        self._catalogue = _Catalogue()
        self._found: dict[tuple[str, str], Price | None] = {}
        self._minute = -1
        for name in config.providers.keys() - self._echoes:
            self.find(name, "")  # loads the catalogue now rather than during a request

    def find(self, provider: str, model: str) -> Price | None:
        """The price now, None if there is none."""
        minute = int(self._clock() // _KEEP_SECONDS)
        if minute != self._minute or len(self._found) > _KEEP_MODELS:
            self._found.clear()
            self._minute = minute
        key = (provider, model)
        try:
            return self._found[key]
        except KeyError:
            price = self._found[key] = self._look_up(provider, model)
            return price

    def _look_up(self, provider: str, model: str) -> Price | None:
        own = self._own.get(f"{provider}/{model}") or self._own.get(f"{provider}/*")
        if own is not None:
            return own
        if provider in self._echoes:
            return ECHO
        return self._catalogue.find(provider, self._addresses.get(provider), model, self._clock())


def _own_prices(prices: Mapping[str, list[int]]) -> dict[str, Price]:
    """``PROVIDER/MODEL`` (or ``PROVIDER/*``) to its price. The revision names the content of all of them."""
    digest = sha256(repr(sorted((name, tuple(pair)) for name, pair in prices.items())).encode()).hexdigest()
    own = {}
    for name, pair in prices.items():
        place = f"billing.prices.{name}"
        provider, _, model = name.partition("/")
        if not provider or not model:
            raise PlatformError(Code.INVALID_REQUEST, f"{place}: the name must be PROVIDER/MODEL.", param=place)
        if len(pair) != 2:
            raise PlatformError(Code.INVALID_REQUEST, f"{place}: give two prices, [input, output].", param=place)
        for which, value in zip(("input", "output"), pair, strict=True):
            if not 0 <= value <= MAX_PRICE:
                raise PlatformError(
                    Code.INVALID_REQUEST,
                    f"{place}: the {which} price {value} is not between 0 and {MAX_PRICE} pico-dollars a token "
                    f"(one dollar a million tokens is 1000000).",
                    param=place,
                )
        own[name] = flat_price(f"config-{digest[:12]}", *pair)
    return own


class _Catalogue:
    """The data of genai-prices.

    Providers are found by the base URL, else by the name the operator gave. The library's own look-up
    is not used: it keeps every name ever asked for, and names come from callers. Loaded when first
    needed: it takes 12 MB and a sixth of a second, and an installation with own prices never does.
    """

    def __init__(self) -> None:
        self._revision = f"genai-prices-{version('genai-prices')}"
        self._providers: dict[tuple[str, str | None], Provider | None] = {}

    @cached_property
    def _snapshot(self) -> DataSnapshot:
        from genai_prices.data_snapshot import get_snapshot

        return get_snapshot()

    def find(self, provider: str, address: str | None, model: str, now: float) -> Price | None:
        known = self._provider(provider, address)
        found = known.find_model(model, all_providers=self._snapshot.providers) if known else None
        if found is None:
            return None
        try:
            return model_price(self._revision, found.get_prices(datetime.fromtimestamp(now, UTC)))
        except UnbelievablePriceError as error:
            log.error("a price of genai-prices is not believed", provider=provider, model=model, reason=str(error))
            return None

    def _provider(self, name: str, address: str | None) -> Provider | None:
        key = (name, address)
        if key not in self._providers:
            if len(self._providers) > _KEEP_MODELS:
                self._providers.clear()
            self._providers[key] = self._search(name, address)
        return self._providers[key]

    def _search(self, name: str, address: str | None) -> Provider | None:
        for by in ({"provider_id": None, "provider_api_url": address}, {"provider_id": name, "provider_api_url": None}):
            if not any(by.values()):
                continue
            try:
                return self._snapshot.find_provider(None, **by)
            except LookupError:
                continue
        return None


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
