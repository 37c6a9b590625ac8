"""Holding money in billing before a call, and giving it back when nothing was sent.

Billing fails closed: without its answer nothing is sent to a provider. A release that billing does not
take is tried again a few times; after that the reservation ends by itself at its expiry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llm_platform.billing.interfaces import Ledger
from llm_platform.core.batch import Batcher
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import ledger_pb2

ANSWER_SECONDS = 5.0
LINGER_SECONDS = 0.002
"""How long reservations of a busy head wait for each other: each batch is a commit in billing. Measured at 16 and 64
connections: a quarter less CPU for the platform as a whole, at the same latency."""
RELEASE_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds between the tries of one release."""

log = get_logger("head.reservations")


class Reservations:
    """Reserves and releases, many in one call."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._reserve: Batcher[ledger_pb2.Reserve, ledger_pb2.ReserveReply] = Batcher(
            self._send_reserve, linger=LINGER_SECONDS
        )
        self._release: Batcher[str, None] = Batcher(self._send_release)
        self._dropped = 0
        """Releases that found too many waiting."""

    async def reserve(self, wanted: ledger_pb2.Reserve) -> None:
        """Raises ``PlatformError``: BUDGET_EXCEEDED, PRICE_UNKNOWN, UNAVAILABLE when billing does not answer."""
        try:
            reply = await self._reserve(wanted)
        except asyncio.CancelledError:
            # The item may still be waiting for its batch: a release sent now could overtake it.
            asyncio.get_running_loop().call_later(ANSWER_SECONDS, self.release, wanted.reservation_id)
            raise
        if reply.HasField("error"):
            raise PlatformError.from_proto(reply.error)

    def release(self, reservation_id: str) -> None:
        """Gives the hold back, in the background. Harmless when the call was settled after all."""
        try:
            self._release.post(reservation_id)
        except PlatformError:  # what its caller raises matters more: it ends by itself
            self._dropped += 1

    async def aclose(self) -> None:
        """Waits until every release was taken or given up."""
        await self._release.aclose()

    async def _send_reserve(self, items: Sequence[ledger_pb2.Reserve]) -> Sequence[ledger_pb2.ReserveReply]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                replies = await self._ledger.reserve(ledger_pb2.ReserveBatch(items=items))
        except (PlatformError, TimeoutError) as error:
            # It may have been committed and only its answer been lost.
            for item in items:
                self.release(item.reservation_id)
            if isinstance(error, PlatformError):
                raise
            raise PlatformError(
                Code.UNAVAILABLE, "Billing does not answer, so nothing was sent. Try again.", retry_after=1
            ) from None
        return replies.items

    async def _send_release(self, items: Sequence[str]) -> Sequence[None]:
        for pause in (*RELEASE_PAUSES, None):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._ledger.release(ledger_pb2.ReleaseBatch(reservation_ids=items))
                break
            except (PlatformError, TimeoutError) as error:
                if pause is None:
                    dropped, self._dropped = self._dropped, 0
                    log.error("reservations stay held until they expire", count=len(items) + dropped, reason=str(error))
                    break
                await asyncio.sleep(pause)
        return [None] * len(items)
