"""A process's life: start, serve, drain, stop.

SIGTERM or SIGINT makes readiness false, then lets the drain hooks finish what is open (bounded by
``traffic.drain_seconds``), then closes everything in reverse order of opening, and exits 0. A second
signal ends the draining at once. A failed start is one log line and exit 1; so is the crash of a
task that the process cannot live without (``background``).
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeVar

import uvloop

from llm_platform.core import logging, metrics, tracing
from llm_platform.core.config import Config
from llm_platform.core.errors import CannotStartError, PlatformError
from llm_platform.core.health import Health

T = TypeVar("T")

CLOSE_SECONDS = 15.0
"""How long the exit stack may take to close, after draining."""

log = logging.get_logger("lifecycle")


class Runtime:
    """What a service's ``start`` is given: its configuration, its health, and where to hang what it opens."""

    def __init__(self, config: Config, reread: Callable[[], Config] | None = None) -> None:
        """``reread`` gives the configuration as it is now; it raises ``ConfigError``."""
        self.config = config
        self.reread = reread
        self.health = Health(config)
        self._stack = AsyncExitStack()
        self._drains: list[Callable[[], Awaitable[None]]] = []

    async def enter(self, cm: AbstractAsyncContextManager[T]) -> T:
        """Opens ``cm``; it is closed at the stop, after the drain, in reverse order."""
        return await self._stack.enter_async_context(cm)

    def on_drain(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Registers what must finish before anything is closed. Called in order of registration."""
        self._drains.append(drain)

    async def drain(self) -> None:
        """Refuses what is new and waits for what is open, for at most ``traffic.drain_seconds``."""
        self.health.draining = True
        metrics.draining.set(1)
        began = time.monotonic()
        log.info("draining", limit_seconds=self.config.traffic.drain_seconds)
        try:
            async with asyncio.timeout(self.config.traffic.drain_seconds):
                for drain in self._drains:
                    await drain()
        except TimeoutError:
            log.warning("drain limit reached, open requests are cut", seconds=self.config.traffic.drain_seconds)
            return
        log.info("drained", seconds=round(time.monotonic() - began, 3))

    async def close(self) -> None:
        """Closes what was entered."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._stack.aclose()
        except TimeoutError:
            log.warning("closing took too long and was given up", seconds=CLOSE_SECONDS)


Start = Callable[[Runtime], Awaitable[None]]


def background(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """A task the process cannot live without: if it fails, the process logs it and exits 1.

    The caller keeps the task and cancels it when it closes.
    """
    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(_report_crash)
    return task


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """The same while the block runs; then the task is cancelled, and has ended when this returns."""
    task = background(work, name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _report_crash(task: asyncio.Task[None]) -> None:
    if task.cancelled() or (error := task.exception()) is None:
        return
    context = {"message": f"background task {task.get_name()} failed", "exception": error, "fatal": True}
    task.get_loop().call_exception_handler(context)


def run(config: Config, start: Start, *, public: bool = False, reread: Callable[[], Config] | None = None) -> int:
    """Runs a service until it is told to stop; returns the exit code.

    ``public`` services answer the health paths on their own HTTP port; for the others this opens
    ``listen.http``. A log file is opened again on SIGHUP.
    """
    try:
        logging.configure(config)
    except OSError as error:
        print(f"Cannot open the log output {config.logging.output}: {error}")
        return 1
    metrics.describe_process(config)
    tracing.configure(config)
    try:
        return _run(Runtime(config, reread), start, public)
    finally:
        tracing.shutdown()


def _run(runtime: Runtime, start: Start, public: bool) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Life(runtime, start, public).run())


class _Life:
    def __init__(self, runtime: Runtime, start: Start, public: bool) -> None:
        self._runtime = runtime
        self._start = start
        self._public = public
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._crashed = False

    async def run(self) -> int:
        self._listen_to_signals()
        lag = background(metrics.observe_event_loop(), "event loop lag")
        try:
            if not await self._until_stop(self._open()):
                return 1
            await self._serve_until_stop()
            return 1 if self._crashed else 0
        finally:
            lag.cancel()
            await self._runtime.close()
            log.info("stopped")

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGHUP, logging.reopen)
        loop.set_exception_handler(self._on_unhandled)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            log.warning("second signal, not waiting any longer", signal=number.name)
            self._hurry.set()
        else:
            log.info("told to stop", signal=number.name)
            self._stop.set()

    def _on_unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        fatal = bool(context.get("fatal"))
        log.error(context["message"], exc_info=context.get("exception"), fatal=fatal)
        if fatal:
            self._crashed = True
            self._stop.set()
            self._hurry.set()

    async def _open(self) -> None:
        runtime, service = self._runtime, self._runtime.config.service
        began = time.monotonic()
        log.info("starting", version=service.version, environment=service.environment)
        if not self._public:
            await runtime.enter(_side_server(runtime))
        await self._start(runtime)
        runtime.health.started = True
        _settle_garbage_collector()
        log.info("started", seconds=round(time.monotonic() - began, 3))

    async def _until_stop(self, opening: Coroutine[Any, Any, None]) -> bool:
        """Runs the start; a signal meanwhile ends it. False when the start failed."""
        starting = asyncio.create_task(opening, name="start")
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
        try:
            await starting
        except asyncio.CancelledError:
            return not self._crashed
        except (CannotStartError, PlatformError, OSError) as error:
            log.error("cannot start", reason=str(error))
            return False
        except Exception as error:
            log.error("cannot start", reason=f"{type(error).__name__}: {error}", exc_info=error)
            return False
        return True

    async def _serve_until_stop(self) -> None:
        await self._stop.wait()
        draining = asyncio.create_task(self._runtime.drain(), name="drain")
        hurrying = asyncio.create_task(self._hurry.wait(), name="hurry")
        await asyncio.wait((draining, hurrying), return_when=asyncio.FIRST_COMPLETED)
        hurrying.cancel()
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining


def _settle_garbage_collector() -> None:
    """What exists after the start lives as long as the process: it need not be looked at again.

    Requests leave few cycles, so that collecting the young every 700 objects is wasted: measured 5 to 10 % of CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _side_server(runtime: Runtime) -> AbstractAsyncContextManager[object]:
    from llm_platform.http.server import side

    return side.serve(runtime.config, runtime.health)
