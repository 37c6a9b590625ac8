"""From messages to the ledger's operations: what each call may cost, and what it cost."""

from __future__ import annotations

from datetime import datetime

from llm_platform.billing.posting import MAX_AMOUNT, MAX_TOKENS, Reserving, Settling, nano_dollars
from llm_platform.billing.pricing.book import UNPRICED, PriceBook
from llm_platform.billing.pricing.price import Price
from llm_platform.billing.records import Course, Hold, UsageCounts
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.provider_ids import provider_request_id
from llm_platform.proto import common_pb2, ledger_pb2

_LONGEST_MICROSECONDS = 10**12
"""Eleven days: no call takes so long."""
_LATEST_SECONDS = 253_370_764_800
"""The last year that a date can say."""
_CERTAINTIES = frozenset({"exact", "estimated", "uncertain"})

log = get_logger("billing.orders")


class Pricing:
    """Puts amounts on reservations and outcomes. ``hold_seconds``: how long a reservation stands by itself."""

    def __init__(self, prices: PriceBook, *, unknown: Price | None, hold_seconds: float) -> None:
        """``unknown``: the price of models without one; None: they are refused."""
        self.book = prices
        self._unknown = unknown
        self._hold_microseconds = int(hold_seconds * 1_000_000)

    def reserving(self, item: ledger_pb2.Reserve, now: int) -> Reserving | PlatformError:
        """``now`` in microseconds."""
        if not item.reservation_id:
            return PlatformError(Code.INVALID_REQUEST, "A reservation needs an id.", param="reservation_id")
        price = self.book.find(item.provider, item.model, now / 1_000_000, item.provider_api) or self._unknown
        if price is None:
            return PlatformError(
                Code.PRICE_UNKNOWN,
                f"The price of model {item.model!r} at provider {item.provider!r} is not known, so calls to it "
                "are refused. An operator can set it under billing.prices.",
                param="model",
            )
        output_tokens = item.max_output_tokens or item.default_output_tokens
        amount = nano_dollars(price.bound(item.prompt_tokens_bound, output_tokens))
        if amount > MAX_AMOUNT:
            return PlatformError(
                Code.INVALID_REQUEST,
                f"A call with up to {item.prompt_tokens_bound} input and {output_tokens} output tokens could cost "
                f"more than {MAX_AMOUNT // 10**9} dollars. Ask for fewer output tokens.",
                param="max_tokens",
            )
        hold = Hold(
            item.reservation_id,
            item.request_id,
            item.key_id,
            item.user_id,
            item.provider,
            item.model,
            amount,
            0,
            now + self._hold_microseconds,
            item.team_id,
            item.organization_id,
            now,
        )
        bounded = bool(item.max_output_tokens) or not output_tokens
        return Reserving(hold, bounded, price.revision)

    def settling(self, outcome: ledger_pb2.Outcome, place: int, now: int) -> Settling:
        """By the price when the call was sent. Raises INVALID_REQUEST; ``place`` is the outcome's in its batch."""
        if not outcome.attempt_id:
            raise PlatformError(
                Code.INVALID_REQUEST, "An outcome needs the id of its attempt.", param=f"items[{place}].attempt_id"
            )
        # A kind of a newer release than ours: something was counted, by whatever rule.
        certainty = outcome.kind if outcome.kind in _CERTAINTIES else "estimated"
        course = _course(outcome)
        sent_at = min(course.sent_at or now, now) / 1_000_000
        price = self.book.find(outcome.provider, outcome.model, sent_at, outcome.provider_api) or self._unknown
        counts = _believed(outcome)
        known = counts is not None and certainty != "uncertain"
        amount = self._amount(outcome, price) if known else None
        return Settling(
            outcome.attempt_id,
            outcome.reservation_id,
            outcome.request_id,
            outcome.key_id,
            outcome.user_id,
            outcome.provider,
            outcome.model,
            "uncertain" if amount is None else certainty,
            amount,
            (price or UNPRICED).revision,
            counts or UsageCounts(),
            outcome.result,
            min(outcome.status, 999),
            outcome.final,
            outcome.team_id,
            outcome.organization_id,
            course,
            outcome.not_archived,
        )

    def cost(self, provider: str, model: str, usage: common_pb2.Usage, at: float) -> tuple[int, str] | None:
        """Nano-dollars and the revision of the price at ``at`` (seconds); None: there is no price."""
        price = self.book.find(provider, model, at) or self._unknown
        return (nano_dollars(price.cost(usage)), price.revision) if price is not None else None

    def _amount(self, outcome: ledger_pb2.Outcome, price: Price | None) -> int | None:
        """None when it cannot be known: then the rule for uncertain calls holds, so that it is never 0 by mistake."""
        if price is None:
            log.error("a call without a price is charged by its reservation", attempt_id=outcome.attempt_id,
                      provider=outcome.provider, model=outcome.model)  # fmt: skip
            return None
        amount = nano_dollars(price.cost(outcome.usage))
        if amount > MAX_AMOUNT:
            log.error("a usage beyond belief is charged by its reservation", attempt_id=outcome.attempt_id)
            return None
        return amount


def _course(outcome: ledger_pb2.Outcome) -> Course:
    return Course(
        _sent_at(outcome),
        min(outcome.first_byte_us, _LONGEST_MICROSECONDS) or None,
        min(outcome.duration_us, _LONGEST_MICROSECONDS) or None,
        provider_request_id(outcome.provider_request_id),
    )


def _sent_at(outcome: ledger_pb2.Outcome) -> int | None:
    """In microseconds; None: it is not said."""
    try:
        sent = datetime.fromisoformat(outcome.sent_at).timestamp() if outcome.sent_at else 0.0
    except (ValueError, OverflowError):
        return None
    return round(sent * 1_000_000) if 0 < sent < _LATEST_SECONDS else None


def _believed(outcome: ledger_pb2.Outcome) -> UsageCounts | None:
    """None for a usage that no call has: a few of them would be too much for every sum of usage from then on."""
    counts = UsageCounts(*(getattr(outcome.usage, name) for name in UsageCounts._fields))
    if max(counts) <= MAX_TOKENS:
        return counts
    log.error("a usage beyond belief is charged by its reservation", attempt_id=outcome.attempt_id)
    return None
