"""What rate-limiter provides: requests, tokens and concurrency."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rpc.port import Port


class Limiter(Protocol):
    """What rate-limiter provides: requests, tokens and concurrency."""

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies: ...

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty: ...


LIMITER = Port(Limiter, limiter_pb2.DESCRIPTOR.services_by_name["Limiter"], provider="rate-limiter")
