"""What a reply says of the limits, wherever they are kept."""

from __future__ import annotations

from llm_platform.core import metrics
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.gcra import remaining

_NS_PER_MS = 1_000_000
_MAX_UINT32 = (1 << 32) - 1

_ALLOWED = metrics.limiter_decisions.labels("allowed")
_REFUSED = {limit: metrics.limiter_decisions.labels(limit) for limit in ("requests", "tokens", "concurrency")}


def describe(reply: limiter_pb2.AcquireReply, limits: common_pb2.Limits, requests_ns: int, tokens_ns: int) -> None:
    """Fills in what the ``x-ratelimit-*`` headers need. Times are those until the limits are full again."""
    if limits.requests_per_minute:
        _fill(reply.requests, limits.requests_per_minute, requests_ns)
    if limits.tokens_per_minute:
        _fill(reply.tokens, limits.tokens_per_minute, tokens_ns)


def _fill(state: limiter_pb2.LimitState, limit: int, full_in_ns: int) -> None:
    state.limit = limit
    state.remaining = remaining(full_in_ns, 0, limit)
    state.reset_ms = milliseconds(full_in_ns)


def milliseconds(nanoseconds: int) -> int:
    """Rounded up, so that who waits that long is not early."""
    return min(max(-(-nanoseconds // _NS_PER_MS), 0), _MAX_UINT32)


def note_decision(reply: limiter_pb2.AcquireReply) -> None:
    """Counts it: a block is as many as were granted."""
    if reply.denied_by:
        _REFUSED[reply.denied_by].inc()
    else:
        _ALLOWED.inc(reply.granted or 1)
