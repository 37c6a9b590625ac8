"""One call against the limits of several subjects: taken from all, or from none."""

from __future__ import annotations

from collections.abc import Sequence

from llm_platform.proto import limiter_pb2
from llm_platform.rate_limiter.gcra import cost_ns
from llm_platform.rate_limiter.reply import allow, describe, refuse
from llm_platform.rate_limiter.scopes import Scope
from llm_platform.rate_limiter.store import NS_PER_S, Block, Subject

CONCURRENCY_RETRY_NS = NS_PER_S
"""When to come back after a refusal by concurrency: nobody knows when a request will end."""
BLOCKS_A_MINUTE = 100
"""A block is at most a limit's part by this: what an entry that dies can lose of it."""
GIVE_BACK_SECONDS = 5
"""How long after its last moment a block's holder may still give back what it did not spend."""


def acquire_of_several(
    item: limiter_pb2.Acquire,
    ttl_seconds: int,
    scopes: Sequence[Scope],
    subjects: Sequence[Subject],
    reply: limiter_pb2.AcquireReply,
    now: int,
) -> None:
    """``subjects`` are those of ``scopes``, each once; ``ttl_seconds`` is that of a lease."""
    for subject in subjects:
        subject.forget_expired(now)
    lease_id, granted, refused_by = item.lease_id, 0, 0
    if item.count > 1 and not any(scope.holds_leases for scope in scopes):
        limits = [scope.request_limit for scope in scopes]
        granted = take_block(item, subjects, limits, [scope.request_tolerance for scope in scopes], now)
    if granted or any(lease_id in subject.leases for subject in subjects):
        allow(reply, granted)  # leases: the same call once more, its first answer was lost on the way
    elif refusal := _refusal(scopes, subjects, now):
        limit, refused_by, wait_ns = refusal
        refuse(reply, limit, scopes[refused_by].subject, wait_ns)
    else:
        for scope, subject in zip(scopes, subjects, strict=True):
            if scope.request_limit:
                subject.requests_tat = subject.after_requests(1, scope.request_limit, now)
            expires_ns = now + ttl_seconds * NS_PER_S
            if scope.token_limit:
                tokens_ns, tat = cost_ns(scope.tokens, scope.token_limit), max(subject.tokens_tat, now)
                subject.hold(lease_id, expires_ns, tokens_ns, scope.token_limit, tat, now)
            elif scope.concurrency:  # requests alone need no Finish
                subject.hold(lease_id, expires_ns)
        allow(reply)
    requests_ns = [subject.requests_tat - now for subject in subjects]
    tokens_ns_left = [subject.tokens_tat - now for subject in subjects]
    describe(reply, scopes, requests_ns, tokens_ns_left, refused_by)


def _refusal(scopes: Sequence[Scope], subjects: Sequence[Subject], now: int) -> tuple[str, int, int] | None:
    """Which limit refuses, of which scope, and how long to wait: the longest wait, the first of equals.

    What is more than a limit ever holds comes before all: waiting does not help, the wait is 0.
    """
    refusal: tuple[str, int, int] | None = None
    too_large: tuple[str, int, int] | None = None
    longest = 0
    for place, (scope, subject) in enumerate(zip(scopes, subjects, strict=True)):
        if scope.request_limit:
            wait_ns = subject.after_requests(1, scope.request_limit, now) - now - scope.request_tolerance
            if wait_ns > longest:
                refusal, longest = ("requests", place, wait_ns), wait_ns
        if scope.token_limit:
            needed_ns = cost_ns(scope.tokens, scope.token_limit)
            if needed_ns > scope.token_tolerance:
                too_large = too_large or ("tokens", place, 0)
            wait_ns = max(subject.tokens_tat - now, 0) + needed_ns - scope.token_tolerance
            if wait_ns > longest:
                refusal, longest = ("tokens", place, wait_ns), wait_ns
        if scope.concurrency and len(subject.leases) >= scope.concurrency and longest < CONCURRENCY_RETRY_NS:
            refusal, longest = ("concurrency", place, CONCURRENCY_RETRY_NS), CONCURRENCY_RETRY_NS
    return too_large or refusal


def take_block(
    item: limiter_pb2.Acquire,
    subjects: Sequence[Subject],
    limits: Sequence[int],
    tolerances: Sequence[int],
    now: int,
) -> int:
    """Takes several requests at once, where there are limits of requests alone; gives how many.

    0 where the block would be no larger than one, or does not fit. Its requests may come as late as its ttl, and are
    counted as if all came then. Counted from now they would be refilled before they came, and the limit would let
    them pass once more.
    """
    lease_id = item.lease_id
    for subject in subjects:
        if block := subject.block(lease_id):  # the same call once more
            return block.requests
    size = min(item.count, min(limits) // BLOCKS_A_MINUTE)
    if size < 2:
        return 0
    last = now + item.ttl_seconds * NS_PER_S
    tats = [subject.after_requests(size, limit, last) for subject, limit in zip(subjects, limits, strict=True)]
    if any(tat - now > tolerance for tat, tolerance in zip(tats, tolerances, strict=True)):
        return 0
    for subject, limit, tat in zip(subjects, limits, tats, strict=True):
        subject.requests_tat = tat
        subject.hold_block(lease_id, Block(last + GIVE_BACK_SECONDS * NS_PER_S, size, limit))
    return size
