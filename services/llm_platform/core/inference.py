"""The inference port: what tail and gateway ask of head, and head of model-proxy.

Both sides of it exist for every hop: the object itself (standalone, or inside the service) and a
relay client (``relay/client.py``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from llm_platform.proto import inference_pb2


class Reply(Protocol):
    """A decided reply. Iterate it to the end or call ``aclose``: either ends the provider call.

    Iteration yields the body as opaque bytes (one or more chunks; for a stream, whole SSE events)
    and raises ``PlatformError`` when the reply broke off. ``end`` is set once iteration finished.
    """

    start: inference_pb2.Start
    end: inference_pb2.End | None

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class Inference(Protocol):
    """Makes one inference call."""

    async def open(self, call: inference_pb2.Open, body: bytes) -> Reply:
        """Returns once status and headers are decided, so that nothing was sent to the caller before.

        Raises ``PlatformError`` for every failure before the first byte. Cancelling the awaiting
        task cancels the call all the way to the provider.
        """
        ...
