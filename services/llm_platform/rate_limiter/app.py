"""rate-limiter: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from llm_platform.core.config import Config
from llm_platform.rate_limiter.interfaces import LIMITER, Limiter
from llm_platform.rate_limiter.service import MemoryLimiter

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

_LEASE_MARGIN_SECONDS = 60


@asynccontextmanager
async def open_limiter(config: Config) -> AsyncIterator[Limiter]:
    """The limiter in this process's memory; a lease without a ttl outlives the longest stream by a minute."""
    yield MemoryLimiter(default_ttl_seconds=config.traffic.stream_max_seconds + _LEASE_MARGIN_SECONDS)


async def start(runtime: Runtime) -> None:
    """Runs rate-limiter in a process of its own."""
    from llm_platform.rpc.server import serve

    limiter = await runtime.enter(open_limiter(runtime.config))
    await serve(runtime, ports={runtime.config.listen.grpc or 0: [(LIMITER, limiter)]})
