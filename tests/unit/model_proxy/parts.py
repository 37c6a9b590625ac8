"""What the tests of model-proxy share: a ledger and secrets in memory, and calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from llm_platform.core import ids
from llm_platform.core.config import Config, Provider, Service, Traffic
from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy.app import ModelProxy, open_model_proxy
from llm_platform.proto import common_pb2, inference_pb2, ledger_pb2, secrets_pb2
from tests.simulator import KEY, Simulator


class MemoryLedger:
    """Takes outcomes as billing does: a repeated attempt is known, a final one closes its reservation."""

    def __init__(self) -> None:
        self.outcomes: dict[str, ledger_pb2.Outcome] = {}
        self.closed: list[str] = []
        self.batches = 0
        self.down = False
        self.refuses: set[str] = set()
        self._news = asyncio.Event()

    async def record(self, request: ledger_pb2.OutcomeBatch) -> ledger_pb2.RecordReply:
        if self.down:
            raise PlatformError(Code.UNAVAILABLE, "billing is away")
        if refused := self.refuses & {item.attempt_id for item in request.items}:
            raise PlatformError(Code.INVALID_REQUEST, f"cannot be taken: {refused}")
        self.batches += 1
        known = 0
        for item in request.items:
            known += item.attempt_id in self.outcomes
            self.outcomes.setdefault(item.attempt_id, item)
            if item.final:
                self.closed.append(item.reservation_id)
        self._news.set()
        return ledger_pb2.RecordReply(recorded=len(request.items) - known, known=known)

    async def closing(self, reservation_id: str, seconds: float = 5) -> list[ledger_pb2.Outcome]:
        """The outcomes of a reservation, once it is closed."""
        async with asyncio.timeout(seconds):
            while reservation_id not in self.closed:
                self._news.clear()
                await self._news.wait()
        return [each for each in self.outcomes.values() if each.reservation_id == reservation_id]


class MemorySecrets:
    def __init__(self, **values: str) -> None:
        self.values = {f"llm/{name}/api_key": value.encode() for name, value in values.items()}
        self.down = False
        self._watchers: list[asyncio.Queue[secrets_pb2.SecretInfo]] = []

    async def get(self, request: secrets_pb2.GetSecretRequest) -> secrets_pb2.Secret:
        if self.down:
            raise PlatformError(Code.UNAVAILABLE, "secrets-service is away")
        if request.path not in self.values:
            raise PlatformError(Code.NOT_FOUND, "no such secret")
        return secrets_pb2.Secret(path=request.path, version=1, value=self.values[request.path])

    async def watch(self, request: secrets_pb2.ListSecretsRequest) -> AsyncIterator[secrets_pb2.SecretInfo]:
        if self.down:
            raise PlatformError(Code.UNAVAILABLE, "secrets-service is away")
        queue: asyncio.Queue[secrets_pb2.SecretInfo] = asyncio.Queue()
        self._watchers.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.remove(queue)

    def set(self, provider: str, value: str) -> None:
        path = f"llm/{provider}/api_key"
        self.values[path] = value.encode()
        for queue in self._watchers:
            queue.put_nowait(secrets_pb2.SecretInfo(path=path, current_version=2))


def configuration(
    data_dir: Path, simulator: Simulator | None = None, *, stream_max: int = 600, **provider: Any
) -> Config:
    providers = {"echo": Provider(type="echo", models=["echo"])}
    if simulator is not None:
        settings = {"base_url": simulator.url, "timeout": 2000, "retry_count": 2} | provider
        providers["sim"] = Provider(type="openai", models=["gpt-test"], **settings)
    return Config(
        service=Service(name="model-proxy", replica="model-proxy-1", data_dir=data_dir),
        providers=providers,
        traffic=Traffic(stream_max_seconds=stream_max),
    )


@asynccontextmanager
async def opened(
    data_dir: Path,
    ledger: MemoryLedger,
    simulator: Simulator | None = None,
    secrets: MemorySecrets | None = None,
    **settings: Any,
) -> AsyncIterator[ModelProxy]:
    config = configuration(data_dir, simulator, **settings)
    async with open_model_proxy(config, secrets or MemorySecrets(sim=KEY), ledger) as proxy:
        yield proxy


def request(model: str = "gpt-test", **fields: Any) -> bytes:
    return msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": "Hello there"}]} | fields)


def call_of(
    model: str = "gpt-test", *, provider: str = "sim", stream: bool = False, **fields: Any
) -> inference_pb2.Open:
    route = inference_pb2.Route(provider=provider, upstream_model=model, reservation_id=ids.new_id("rsv"))
    settings = {"timeout_ms": 5000, "prompt_tokens_bound": 1000} | fields
    return inference_pb2.Open(
        request_id=ids.new_id("req"),
        model=model,
        stream=stream,
        principal=common_pb2.Principal(key_id="key_1", user_id="usr_1"),
        route=route,
        **settings,
    )


async def read(reply: Any) -> bytes:
    return b"".join([part async for part in reply])


def chunks_of(body: bytes) -> list[dict[str, Any]]:
    """The JSON of a stream's events, without ``[DONE]``."""
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [msgspec.json.decode(line) for line in lines if line and line != b"[DONE]"]


async def until(holds: Callable[[], bool], seconds: float = 5) -> None:
    """Returns once it holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
