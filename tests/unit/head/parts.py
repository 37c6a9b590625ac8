"""Parts for head's tests: a ledger and a model-proxy that record what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.head.app import Head, open_head
from llm_platform.head.store.database import open_store
from llm_platform.proto import common_pb2, inference_pb2, ledger_pb2, providers_pb2


class RecordingLedger:
    """Refuses the reservations of ``refused`` providers."""

    def __init__(self) -> None:
        self.reserved: list[ledger_pb2.Reserve] = []
        self.released: list[str] = []
        self.refused: dict[str, PlatformError] = {}
        self.down: PlatformError | None = None
        self.lost: PlatformError | None = None
        """Comes in place of the answer to what was reserved."""
        self.release_failures = 0

    async def reserve(self, request: ledger_pb2.ReserveBatch) -> ledger_pb2.ReserveReplies:
        if self.down is not None:
            raise self.down
        self.reserved += request.items
        if self.lost is not None:
            raise self.lost
        return ledger_pb2.ReserveReplies(items=[self._answer(item) for item in request.items])

    def _answer(self, item: ledger_pb2.Reserve) -> ledger_pb2.ReserveReply:
        error = self.refused.get(item.provider)
        return ledger_pb2.ReserveReply(error=error.to_proto()) if error else ledger_pb2.ReserveReply(amount=1)

    async def release(self, request: ledger_pb2.ReleaseBatch) -> common_pb2.Empty:
        if self.release_failures:
            self.release_failures -= 1
            raise self.down or PlatformError.from_proto(common_pb2.Error(code="unavailable", message="away"))
        self.released += request.reservation_ids
        return common_pb2.Empty()

    async def record(self, request: ledger_pb2.OutcomeBatch) -> ledger_pb2.RecordReply:
        raise NotImplementedError

    async def usage(self, request: ledger_pb2.UsageQuery) -> ledger_pb2.UsageReport:
        raise NotImplementedError

    async def entries(self, request: ledger_pb2.EntriesQuery) -> ledger_pb2.EntryPage:
        raise NotImplementedError

    async def set_budget(self, request: ledger_pb2.Budget) -> ledger_pb2.Budget:
        raise NotImplementedError

    async def list_budgets(self, request: common_pb2.Empty) -> ledger_pb2.Budgets:
        raise NotImplementedError

    async def verify(self, request: common_pb2.Empty) -> ledger_pb2.VerifyReport:
        raise NotImplementedError


class Answer:
    def __init__(self, provider: str, usage: common_pb2.Usage) -> None:
        self.start = inference_pb2.Start(status=200, provider=provider)
        self.end: inference_pb2.End | None = None
        self._usage = usage

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"{}"
        self.end = inference_pb2.End(usage=self._usage)

    async def aclose(self) -> None: ...


class Proxy:
    """model-proxy's inference; ``failing`` providers raise."""

    def __init__(self) -> None:
        self.calls: list[inference_pb2.Open] = []
        self.failing: dict[str, PlatformError] = {}
        self.before: Callable[[], Awaitable[None]] | None = None
        self.usage = common_pb2.Usage()

    async def open(self, call: inference_pb2.Open, body: bytes) -> Answer:
        self.calls.append(call)
        if self.before is not None:
            await self.before()
        if error := self.failing.get(call.route.provider):
            raise error
        return Answer(call.route.provider, self.usage)


class ProviderStates:
    """Providers whose health a test sets."""

    def __init__(self, *items: providers_pb2.ProviderHealth) -> None:
        self.items = list(items)
        self.error: PlatformError | None = None
        self.asked = asyncio.Event()

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths:
        self.asked.set()
        if self.error is not None:
            raise self.error
        return providers_pb2.ProviderHealths(items=self.items)

    async def reload(self, request: common_pb2.Empty) -> common_pb2.Empty:
        return request

    async def apply(self, request: providers_pb2.ApplyRequest) -> providers_pb2.Applied:
        raise NotImplementedError

    async def test(self, request: providers_pb2.TestRequest) -> providers_pb2.TestReport:
        raise NotImplementedError


CONFIG = Config.model_validate(
    {
        "providers": {
            "first": {"type": "openai", "models": {"m": "first-m"}},
            "second": {"type": "openai", "models": {"m": "second-m"}, "priority": 1},
            "alone": {"type": "openai", "models": ["single"]},
            "off": {"type": "openai", "models": ["hidden"], "enabled": False},
        },
        "traffic": {"default_output_tokens": 1000},
    }
)


class Replica(ProviderStates):
    """A replica of model-proxy that takes definitions."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.applied = providers_pb2.Applied()
        self.taken: list[int] = []
        self.refuses: PlatformError | None = None
        self._have(names)

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths:
        healths = await super().health(request)
        healths.applied.CopyFrom(self.applied)
        return healths

    async def apply(self, request: providers_pb2.ApplyRequest) -> providers_pb2.Applied:
        if self.refuses is not None:
            raise self.refuses
        if request.before != self.applied:
            raise PlatformError(Code.CONFLICT, "Others are served.")
        self.applied.CopyFrom(request.rules)
        self.taken.append(request.rules.number)
        self._have(each.name for each in request.document.providers)
        return self.applied

    def _have(self, names: Iterable[str]) -> None:
        self.items = [providers_pb2.ProviderHealth(name=name, state="healthy", enabled=True) for name in names]


_migrated: dict[str, bytes] = {}


async def make_store(directory: Path) -> None:
    """An empty store of rules. It is migrated once and copied from then on."""
    if not _migrated:
        with TemporaryDirectory() as first:
            async with open_store(in_directory(CONFIG, Path(first))):
                pass
            _migrated["routing.sqlite"] = (Path(first) / "routing.sqlite").read_bytes()
    for name, content in _migrated.items():
        (directory / name).write_bytes(content)


def in_directory(config: Config, directory: Path) -> Config:
    return config.model_copy(update={"service": config.service.model_copy(update={"data_dir": directory})})


@asynccontextmanager
async def opened(config: Config, *arguments: Any, **options: Any) -> AsyncIterator[Head]:
    """``open_head`` with an empty store."""
    with TemporaryDirectory() as directory:
        await make_store(Path(directory))
        async with open_head(in_directory(config, Path(directory)), *arguments, **options) as head:
            yield head


def call(**fields: object) -> inference_pb2.Open:
    principal = common_pb2.Principal(key_id="key_1", user_id="user_1", role="user")
    given: dict[str, object] = {"request_id": "req_1", "dialect": "openai.chat", "model": "m", "principal": principal}
    return inference_pb2.Open(**(given | fields))  # type: ignore[arg-type]
