"""What a reply says of the limits, wherever they are kept."""

from __future__ import annotations

from collections.abc import Sequence

from llm_platform.core import metrics
from llm_platform.proto import limiter_pb2
from llm_platform.rate_limiter.gcra import remaining
from llm_platform.rate_limiter.scopes import Scope, kind_of

_NS_PER_MS = 1_000_000
_MAX_UINT32 = (1 << 32) - 1

_ALLOWED = metrics.limiter_decisions.labels("allowed", "")


def allow(reply: limiter_pb2.AcquireReply, granted: int = 0) -> None:
    """``granted``: the size of a block; 0 where it is one request."""
    reply.allowed = True
    if granted:
        reply.granted = granted
    _ALLOWED.inc(granted or 1)


def refuse(reply: limiter_pb2.AcquireReply, limit: str, subject: str, wait_ns: int) -> None:
    """``limit`` (requests, tokens, concurrency) of ``subject`` refused."""
    reply.denied_by = limit
    reply.denied_scope = subject
    reply.retry_after_ms = milliseconds(wait_ns)
    metrics.limiter_decisions.labels(limit, kind_of(subject)).inc()


def describe(
    reply: limiter_pb2.AcquireReply,
    scopes: Sequence[Scope],
    requests_ns: Sequence[int],
    tokens_ns: Sequence[int],
    refused_by: int = 0,
) -> None:
    """Fills in what the ``x-ratelimit-*`` headers need: of the limit that refused, else of the one with the least left.

    ``requests_ns`` and ``tokens_ns`` are the times until the limits of each scope are full again.
    """
    denied_by = reply.denied_by
    requests = (
        refused_by if denied_by == "requests" else _tightest([one.request_tolerance for one in scopes], requests_ns)
    )
    if requests is not None:
        scope = scopes[requests]
        fill(reply.requests, scope.request_limit, scope.request_tolerance, requests_ns[requests])
    tokens = refused_by if denied_by == "tokens" else _tightest([one.token_tolerance for one in scopes], tokens_ns)
    if tokens is not None:
        scope = scopes[tokens]
        fill(reply.tokens, scope.token_limit, scope.token_tolerance, tokens_ns[tokens])


def _tightest(tolerances: Sequence[int], full_in_ns: Sequence[int]) -> int | None:
    """The place with the largest share used of its burst, the first of equals; None where there is no limit."""
    tightest: int | None = None
    for place, tolerance in enumerate(tolerances):
        if tolerance and (
            tightest is None
            or max(full_in_ns[place], 0) * tolerances[tightest] > max(full_in_ns[tightest], 0) * tolerance
        ):
            tightest = place
    return tightest


def fill(state: limiter_pb2.LimitState, limit: int, tolerance: int, full_in_ns: int) -> None:
    """``full_in_ns``: the time until the limit is full again."""
    state.limit = limit
    state.remaining = remaining(full_in_ns, 0, limit, tolerance)
    state.reset_ms = milliseconds(full_in_ns)


def milliseconds(nanoseconds: int) -> int:
    """Rounded up, so that who waits that long is not early."""
    return min(max(-(-nanoseconds // _NS_PER_MS), 0), _MAX_UINT32)
