"""The playground: a chat completion with one of the user's own API keys, passed on to an entry as it is.

The page keeps the key in its memory only, and so does nothing here. Whoever leaves the page ends the call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.dashboard.api import Api

PATH = "/api/playground/chat/completions"
KEY_HEADER = "x-playground-key"
_PASSED = ("content-type", "x-request-id", "x-error-fault", "retry-after")
_CHUNK = 64 * 1024


class Playground:
    """Use as a context manager's value: ``open_playground``."""

    def __init__(self, config: Config, api: Api, client: aiohttp.ClientSession) -> None:
        self._api = api
        self._client = client
        self._url = f"{next(iter(config.dashboard.entries.values()))}/v1/chat/completions"
        self._largest = config.traffic.max_body_bytes

    async def serve(self, request: web.Request) -> web.StreamResponse:
        await self._api.admit(request)
        key = request.headers.get(KEY_HEADER, "")
        if not key:
            raise PlatformError(Code.UNAUTHENTICATED, "Choose an API key first.", param=KEY_HEADER)
        if (request.content_length or 0) > self._largest:
            raise PlatformError(Code.BODY_TOO_LARGE, f"The request is larger than {self._largest} bytes.")
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        try:
            async with self._client.post(self._url, data=request.content, headers=headers) as answer:
                return await _passed_on(request, answer)
        except aiohttp.ClientError:
            raise PlatformError(Code.UNAVAILABLE, "The entry cannot be reached.", retry_after=1) from None


async def _passed_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {name: answer.headers[name] for name in _PASSED if name in answer.headers}
    headers |= {name: value for name, value in answer.headers.items() if name.lower().startswith("x-ratelimit-")}
    response = web.StreamResponse(status=answer.status, headers={**headers, "cache-control": "no-store"})
    await response.prepare(request)
    async for chunk in answer.content.iter_chunked(_CHUNK):
        await response.write(chunk)
    await response.write_eof()
    return response


@asynccontextmanager
async def open_playground(config: Config, api: Api) -> AsyncIterator[Playground]:
    """Its limits in time are the entry's."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    async with aiohttp.ClientSession(
        timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as client:
        yield Playground(config, api, client)
