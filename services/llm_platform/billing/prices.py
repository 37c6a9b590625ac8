"""What a token costs: integer pico-dollars, by provider and model.

Own prices of the configuration win, then the built-in price of ``echo``, then the data of
``genai-prices`` (embedded in the package, so no network is needed). A price outside what can be
believed is refused when it is loaded: a malformed price must never bill nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from hashlib import sha256

from llm_platform.billing.catalogue import Catalogue, Named
from llm_platform.billing.price import MAX_PRICE, Price, flat_price
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError

_KEEP_SECONDS = 60
"""How long a looked-up price is used: prices that depend on the hour change at full minutes."""
_KEEP_MODELS = 4096

ECHO = flat_price("builtin-1", 1_000_000, 2_000_000)
"""The built-in provider costs $1 a million input tokens and $2 a million output tokens, so that money
can be followed from end to end without a provider."""

UNPRICED = flat_price("unpriced", 0, 0)
"""Marks entries of models without a price (``billing.unknown_price: free``)."""


class PriceBook:
    """Finds prices. Raises PlatformError at construction when a configured price is unbelievable."""

    def __init__(
        self, config: Config, catalogue: Catalogue | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._own = _own_prices(config.billing.prices)
        self._echoes = {name for name, provider in config.providers.items() if provider.type == "echo"} | {"echo"}
        self._addresses = {name: provider.base_url for name, provider in config.providers.items()}
        self._catalogue = catalogue or Catalogue()
        self._found: dict[tuple[str, str], Price | None] = {}
        self._minute = -1
        for named in catalogue_providers(config):
            self._catalogue.resolve(named)  # now rather than during a request

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


def catalogue_providers(config: Config) -> list[Named]:
    """The providers whose prices are in the catalogue's hands: neither echo nor all priced by the operator."""
    return [
        (name, provider.base_url)
        for name, provider in config.providers.items()
        if provider.type != "echo" and f"{name}/*" not in config.billing.prices
    ]


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
