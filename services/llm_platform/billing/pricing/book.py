"""What a token costs: integer pico-dollars, by provider and model.

Own prices of the configuration win, then the built-in price of ``echo``, then the data of
``genai-prices`` (embedded in the package, so no network is needed). A price outside what can be
believed is refused when it is loaded: a malformed price must never bill nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from llm_platform.billing.pricing.catalogue import Catalogue, Named
from llm_platform.billing.pricing.own import OwnPrices
from llm_platform.billing.pricing.price import Price, flat_price
from llm_platform.core.config import Config

_KEEP_SECONDS = 60
"""Prices are of a whole minute: those that depend on the hour or the day change at full ones."""
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
        self.own = OwnPrices(config.billing)
        self._echoes = {name for name, provider in config.providers.items() if provider.type == "echo"} | {"echo"}
        self._addresses = {name: provider.base_url for name, provider in config.providers.items()}
        self._catalogue = catalogue or Catalogue()
        self._apis: dict[str, str] = {}
        self._found: dict[tuple[str, str, int, str], Price | None] = {}
        for named in catalogue_providers(config):
            self._catalogue.resolve(named)  # now rather than during a request

    def find(self, provider: str, model: str, at: float | None = None, api: str = "") -> Price | None:
        """The price of calls that are sent at ``at`` (seconds; None: now), None if there is none.

        ``api``: ``echo`` or the base URL of a provider that the configuration does not define so. Of one that it does
        not define at all it is remembered for whoever asks without it.
        """
        minute = int((self._clock() if at is None else at) // _KEEP_SECONDS)
        if provider not in self._addresses:
            api = self._known_api(provider, api)
        key = (provider, model, minute, api)
        try:
            return self._found[key]
        except KeyError:
            if len(self._found) > _KEEP_MODELS:
                self._found.clear()
            price = self._found[key] = self._look_up(provider, model, minute * _KEEP_SECONDS, api)
            return price

    def _known_api(self, provider: str, api: str) -> str:
        if not api:
            return self._apis.get(provider, "")
        if self._apis.get(provider) != api and len(self._apis) < _KEEP_MODELS:
            self._apis[provider] = api
        return api

    def _look_up(self, provider: str, model: str, at: float, api: str) -> Price | None:
        own = self.own.find(provider, model, at)
        if own is not None:
            return own
        if api == "echo" or (not api and provider in self._echoes):
            return ECHO
        return self._catalogue.find(provider, api or self._addresses.get(provider), model, at)


def catalogue_providers(config: Config) -> list[Named]:
    """The providers whose prices are in the catalogue's hands: neither echo nor all priced by the operator."""
    return [
        (name, provider.base_url)
        for name, provider in config.providers.items()
        if provider.type != "echo" and f"{name}/*" not in config.billing.prices
    ]
