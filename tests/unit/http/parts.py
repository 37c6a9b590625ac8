"""An entry for tests: the real server, limiter and head's routing over a scripted inference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from llm_platform.core.actor import PLATFORM_ORGANIZATION
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.health import Health
from llm_platform.head.engine import ProviderRule, Rules
from llm_platform.head.provider_health import ProviderHealth
from llm_platform.head.routing import Decisions, Router
from llm_platform.http.dialects.openai import OpenAI
from llm_platform.http.entry import Entry
from llm_platform.http.limits import RateLimits
from llm_platform.http.models import Models
from llm_platform.http.opening import shared_routes
from llm_platform.http.server.observation import Observation
from llm_platform.http.server.server import HttpServer, serving
from llm_platform.http.server.traffic import Traffic
from llm_platform.proto import common_pb2, inference_pb2, providers_pb2
from llm_platform.rate_limiter.interfaces import Limiter
from llm_platform.rate_limiter.service import MemoryLimiter

BEARER = {"authorization": "Bearer good"}
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
STREAM = CHAT | {"stream": True}
EVENTS = (b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', b"data: [DONE]\n\n")
DOCUMENT = b'{"object":"chat.completion"}'

Chunks = Callable[[], AsyncIterator[bytes]]


class ScriptedReply:
    def __init__(self, start: inference_pb2.Start, chunks: AsyncIterator[bytes], end: inference_pb2.End | None) -> None:
        self.start = start
        self.end: inference_pb2.End | None = None
        self.closed = False
        self._chunks = chunks
        self._end = end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            yield chunk
        self.end = self._end

    async def aclose(self) -> None:
        self.closed = True


class ScriptedInference:
    """Plays one script for every call, and keeps what it was asked."""

    def __init__(self, *chunks: bytes, error: PlatformError | None = None, script: Chunks | None = None) -> None:
        self.calls: list[inference_pb2.Open] = []
        self.bodies: list[bytes] = []
        self.replies: list[ScriptedReply] = []
        self.cancelled = asyncio.Event()
        self.before: Callable[[], Awaitable[None]] | None = None
        self._chunks = chunks
        self._error = error
        self._script = script
        self.status = 200

    async def open(self, call: inference_pb2.Open, body: bytes) -> ScriptedReply:
        self.calls.append(call)
        self.bodies.append(body)
        try:
            if self.before is not None:
                await self.before()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self._error is not None:
            raise self._error
        content_type = "text/event-stream" if call.stream else "application/json"
        start = inference_pb2.Start(status=self.status, content_type=content_type, provider="echo", model="m")
        usage = common_pb2.Usage(input_tokens=3, output_tokens=2)
        end = inference_pb2.End(usage=usage, usage_kind="exact", attempts=1)
        chunks = self._script() if self._script else self._play(call.stream)
        reply = ScriptedReply(start, self._noticing(chunks), end)
        self.replies.append(reply)
        return reply

    async def _noticing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for chunk in chunks:
                yield chunk
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _play(self, stream: bool) -> AsyncIterator[bytes]:
        for chunk in self._chunks or (EVENTS if stream else (DOCUMENT,)):
            yield chunk


class FixedKeys:
    """Knows ``good``, ``narrow`` (one model only) and ``admin``."""

    def __init__(self, limits: common_pb2.Limits | None = None, **beside: common_pb2.Limits) -> None:
        """``beside``: user_limits, team_limits, organization_limits."""
        self._limits = limits or common_pb2.Limits()
        self._beside = beside

    async def get(self, token: str) -> common_pb2.Principal:
        if token not in {"good", "narrow", "admin"}:
            raise PlatformError(Code.UNAUTHENTICATED, "This API key is not known.")
        return common_pb2.Principal(
            key_id=f"key_{token}",
            user_id="user_1",
            team_id="team_1",
            **self._beside,
            role="admin" if token == "admin" else "developer",
            organization_id=PLATFORM_ORGANIZATION,
            limits=self._limits,
            allowed_models=["narrow-model"] if token == "narrow" else [],
        )


class NoProviders:
    """Providers that are never asked."""

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths:
        return providers_pb2.ProviderHealths()

    async def reload(self, request: common_pb2.Empty) -> common_pb2.Empty:
        return request

    async def apply(self, request: providers_pb2.ApplyRequest) -> providers_pb2.Applied:
        return request.rules

    async def test(self, request: providers_pb2.TestRequest) -> providers_pb2.TestReport:
        return providers_pb2.TestReport(models=[request.name])


def config(**sections: dict[str, object]) -> Config:
    return Config.model_validate({"listen": {"http": 0}, **sections})


def routing(*models: str) -> Any:
    """Only what entries ask."""
    rules = Rules((ProviderRule("echo", {model: model for model in models or ("m", "narrow-model")}),))
    return Decisions(Router(lambda: rules, ProviderHealth(NoProviders())))


@asynccontextmanager
async def entry_server(
    inference: ScriptedInference,
    *,
    settings: Config | None = None,
    keys: FixedKeys | None = None,
    limiter: Limiter | None = None,
) -> AsyncIterator[HttpServer]:
    settings = settings or config()
    limits = RateLimits(settings, MemoryLimiter(default_ttl_seconds=60) if limiter is None else limiter)
    entry = Entry(settings, "tail", inference, keys or FixedKeys(), limits, Models(routing()))
    health = Health(settings)
    health.started = True
    traffic = Traffic("tail", settings.service.replica)
    server = HttpServer(settings, shared_routes(entry, health, traffic), OpenAI(), Observation("tail"))
    async with serving(server):
        yield server


@asynccontextmanager
async def client_of(server: HttpServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=BEARER) as session:
        yield session


async def raw(server: HttpServer, *parts: bytes, pause: float = 0.0) -> bytes:
    """Sends bytes as they are and returns everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def post(body: bytes, headers: Sequence[str] = ()) -> bytes:
    """A request that asks to close the connection after it."""
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: test",
        "authorization: Bearer good",
        "content-type: application/json",
        "connection: close",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
