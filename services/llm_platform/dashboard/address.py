"""Where a browser is, and how it reaches this dashboard."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from llm_platform.core.addresses import behind_proxies, networks
from llm_platform.core.config import Config


class Addresses:
    """Believes proxies as the entries do (``security.trusted_proxies``)."""

    def __init__(self, config: Config) -> None:
        self._trusted = networks(tuple(config.security.trusted_proxies))
        self._public_url = config.dashboard.public_url

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return bool(self._public_url and self._public_url.startswith("https://"))

    def of(self, request: web.Request) -> str:
        """The client's IP address; empty when it is not known."""
        address = behind_proxies(request.remote or "", request.headers.getall("x-forwarded-for", []), self._trusted)
        return str(address or "")

    def public_url(self, request: web.Request) -> str:
        """Without a slash at its end. What is not configured is what the request says."""
        return self._public_url or f"{request.scheme}://{request.host}"

    def public_host(self, request: web.Request) -> str:
        """Host and port as a page's ``Origin`` names them."""
        return urlsplit(self.public_url(request)).netloc
