"""The inference port: what tail and gateway ask of head, and head of model-proxy.

Both sides of it exist for every hop: the object itself (standalone, or inside the service) and a
relay client (``relay/client.py``).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeAlias

from llm_platform.proto import inference_pb2

Take: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""What is called with a chunk. Gives None, or what must be awaited before the next chunk."""


class Reply(Protocol):
    """A decided reply. Iterate it to the end or call ``aclose``: either ends the provider call.

    Iteration yields the body as opaque bytes (one or more chunks; for a stream, whole SSE events)
    and raises ``PlatformError`` when the reply broke off. ``end`` is set once iteration finished.

    A reply may also have ``async def pour(self, take: Take) -> None``: see ``pour``.
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


async def pour(chunks: AsyncIterable[bytes], take: Take) -> None:
    """Gives every chunk of a reply to ``take`` and returns at the end; raises what iterating, or ``take``, raises.

    Waking a task for a chunk costs more than passing it on. So a reply with a ``pour`` of its own calls ``take`` from
    where the chunk arrives (``Outlet``).
    """
    own: Callable[[Take], Awaitable[None]] | None = getattr(chunks, "pour", None)
    if own is not None:
        await own(take)
        return
    async for chunk in chunks:
        if (room := take(chunk)) is not None:
            await room


class Outlet:
    """Where chunks go while a ``pour`` waits; its ``settle`` is called by that ``pour`` alone."""

    __slots__ = ("_stop", "_take")

    def __init__(self, take: Take) -> None:
        self._take = take
        self._stop: Awaitable[None] | Exception | None = None

    def give(self, chunk: bytes) -> bool:
        """Passes a chunk on; False: nothing more until ``settle`` returned. Never raises, since whoever brings the
        chunk (a link, a connection) is not at fault when the taker has left."""
        try:
            self._stop = self._take(chunk)
        except Exception as error:  # noqa: BLE001 - raised by ``settle``
            self._stop = error
        return self._stop is None

    async def settle(self) -> None:
        """Waits until there is room again; raises what ``take`` raised."""
        stop, self._stop = self._stop, None
        if isinstance(stop, Exception):
            raise stop
        if stop is not None:
            await stop
