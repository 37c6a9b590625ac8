"""What a page knows before anybody has signed in, and the document of the API."""

from __future__ import annotations

from importlib import resources
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from llm_platform.core.config import Config
from llm_platform.dashboard.address import Addresses

ENTRY_PORT = 8000
DOCUMENT = "openapi.json"


class Info:
    """``other_port``: the other dashboard's, on the same host unless the configuration says otherwise."""

    def __init__(self, config: Config, addresses: Addresses, *, other_port: int) -> None:
        self._config = config
        self._addresses = addresses
        self._other_port = other_port
        package = f"llm_platform.{config.service.name.replace('-', '_')}"
        self._document = (resources.files(package) / DOCUMENT).read_bytes()

    async def serve(self, request: web.Request) -> web.Response:
        service = self._config.service
        shown = {
            "service": service.name,
            "version": service.version,
            "environment": service.environment,
            "oidc": self._config.oidc is not None,
            "entry_url": self._config.dashboard.shown_entry_url or self._beside(request, ENTRY_PORT),
            "other_url": self.other_url(request),
        }
        return web.Response(
            body=msgspec.json.encode(shown), content_type="application/json", headers={"cache-control": "no-cache"}
        )

    async def openapi(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json", headers={"cache-control": "no-cache"})

    def other_url(self, request: web.Request) -> str:
        return self._config.dashboard.other_url or self._beside(request, self._other_port)

    def _beside(self, request: web.Request, port: int) -> str:
        """Another port of the host that the browser asked."""
        parts = urlsplit(self._addresses.public_url(request))
        host = parts.hostname or "localhost"
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
