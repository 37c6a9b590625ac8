"""rate-limiter: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from llm_platform.core.config import Config
from llm_platform.core.plain_text import warn_of_plain_text
from llm_platform.rate_limiter.configured import lease_seconds
from llm_platform.rate_limiter.interfaces import LIMITER
from llm_platform.rate_limiter.service import MemoryLimiter

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime
    from llm_platform.rate_limiter.redis_limiter import RedisLimiter


@asynccontextmanager
async def open_limiter(config: Config) -> AsyncIterator[MemoryLimiter | RedisLimiter]:
    """The limiter in the Redis of ``stores.limits_url``, else in this process's memory."""
    ttl = lease_seconds(config)  # of a lease that names none
    stores = config.stores
    if stores.limits_url is None:
        yield MemoryLimiter(default_ttl_seconds=ttl)
        return
    from llm_platform.rate_limiter.redis_limiter import RedisLimiter

    limiter = RedisLimiter(
        stores.limits_url.get_secret_value(),
        environment=config.service.environment,
        default_ttl_seconds=ttl,
        connections=stores.limits_connections,
        authority=stores.limits_authority,
    )
    async with aclosing(limiter):
        yield limiter


async def start(runtime: Runtime) -> None:
    """Runs rate-limiter in a process of its own."""
    from llm_platform.rpc.server import serve

    limiter = await runtime.enter(open_limiter(runtime.config))
    runtime.health.add("store", limiter.check)
    if (url := runtime.config.stores.limits_url) is not None:
        warn_of_plain_text(runtime.health, "the Redis of the limits", url.get_secret_value())
    await serve(runtime, ports={runtime.config.listen.grpc or 0: [(LIMITER, limiter)]})
