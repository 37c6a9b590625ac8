"""Requests and tokens a minute, and requests at once, in the memory of one process."""

from __future__ import annotations

import time
from collections.abc import Callable

from llm_platform.core import metrics
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.gcra import PERIOD_NS, corrected, cost_ns
from llm_platform.rate_limiter.reply import describe, milliseconds, note_decision
from llm_platform.rate_limiter.store import Block, Lease, Subject, Subjects

CONCURRENCY_RETRY_MS = 1_000
"""When to come back after a refusal by concurrency: nobody knows when a request will end."""

BLOCKS_A_MINUTE = 100
"""A block is at most the limit's part by this: what an entry that dies can lose of it."""
GIVE_BACK_SECONDS = 5
"""How long after its last moment a block's holder may still give back what it did not spend."""

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000


class MemoryLimiter:
    """The Limiter of one process (docs/limits.md). Limits arrive with each item; nothing is configured here.

    A restart forgets everything: limits are full again. Nothing awaits inside a batch, so a batch is
    decided as one step, item after item.
    """

    def __init__(self, default_ttl_seconds: int, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._default_ttl_ns = default_ttl_seconds * _NS_PER_S
        self._clock_ns = clock_ns
        self._subjects = Subjects()

    def __len__(self) -> int:
        """The number of subjects in memory."""
        return len(self._subjects)

    async def acquire(self, request: limiter_pb2.AcquireBatch) -> limiter_pb2.AcquireReplies:
        """Takes from every limit of an item, or from none. One reply an item, in order."""
        now = self._clock_ns()
        replies = limiter_pb2.AcquireReplies()
        add = replies.items.add
        for item in request.items:
            reply = add()
            self._acquire(item, reply, now)
            note_decision(reply)
        metrics.limiter_subjects.set(len(self._subjects))
        return replies

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        """Ends leases and blocks, and corrects what they took. One not held (expired, ended) is left as it is."""
        now = self._clock_ns()
        for item in request.items:
            subject = self._subjects.find(item.subject)
            if subject is None:
                continue
            subject.forget_expired(now)
            if block := subject.drop_block(item.lease_id):
                spent = min(item.requests, block.requests)
                subject.requests_tat -= block.cost_ns(block.requests) - block.cost_ns(spent)
            lease = subject.leases.pop(item.lease_id, None)
            if lease is None or not lease.token_limit:
                continue
            used_ns = cost_ns(item.tokens, lease.token_limit)
            subject.tokens_tat = corrected(subject.tokens_tat, now, lease.tokens_ns, used_ns)
        return common_pb2.Empty()

    async def check(self) -> str | None:
        """For readiness: this process's memory always does its part."""
        return None

    def _acquire(self, item: limiter_pb2.Acquire, reply: limiter_pb2.AcquireReply, now: int) -> None:
        limits = item.limits
        request_limit, token_limit, concurrency = (
            limits.requests_per_minute,
            limits.tokens_per_minute,
            limits.concurrency,
        )
        if not (request_limit or token_limit or concurrency):
            reply.allowed = True
            return
        subject = self._subjects.take(item.subject, now)
        subject.forget_expired(now)
        if item.lease_id in subject.leases:  # the same call once more: its first answer was lost on the way
            reply.allowed = True
            _describe(reply, subject, limits, now)
            return
        if item.count > 1 and not (token_limit or concurrency) and _take_block(item, reply, subject, now):
            _describe(reply, subject, limits, now)
            return

        requests_tat, tokens_tat, tokens_ns = subject.requests_tat, subject.tokens_tat, 0
        wait_ns = 0
        if request_limit:
            requests_tat = subject.take_requests(1, request_limit, now)
            if requests_tat - now > PERIOD_NS:
                reply.denied_by = "requests"
                wait_ns = requests_tat - now - PERIOD_NS
        if token_limit:
            tokens_ns = cost_ns(item.tokens, token_limit)
            tokens_tat = max(tokens_tat, now) + tokens_ns
            if tokens_tat - now > PERIOD_NS:
                reply.denied_by = reply.denied_by or "tokens"
                wait_ns = max(wait_ns, tokens_tat - now - PERIOD_NS)
        if concurrency and len(subject.leases) >= concurrency:
            reply.denied_by = reply.denied_by or "concurrency"
            wait_ns = max(wait_ns, CONCURRENCY_RETRY_MS * _NS_PER_MS)

        if tokens_ns > PERIOD_NS:  # more than the limit ever holds: waiting does not help, retry_after stays 0
            reply.denied_by = "tokens"
        elif reply.denied_by:
            reply.retry_after_ms = milliseconds(wait_ns)
        else:
            reply.allowed = True
            subject.requests_tat, subject.tokens_tat = requests_tat, tokens_tat
            if token_limit or concurrency:  # requests alone need no Finish
                ttl_ns = item.ttl_seconds * _NS_PER_S or self._default_ttl_ns
                subject.hold(item.lease_id, Lease(now + ttl_ns, tokens_ns, token_limit))
        _describe(reply, subject, limits, now)


def _take_block(item: limiter_pb2.Acquire, reply: limiter_pb2.AcquireReply, subject: Subject, now: int) -> bool:
    """Takes several requests at once; False where the block would be no larger than one, or does not fit.

    Its requests may come as late as its ttl, and are counted as if all came then. Counted from now they would be
    refilled before they came, and the limit would let them pass once more.
    """
    if block := subject.block(item.lease_id):  # the same call once more
        reply.allowed, reply.granted = True, block.requests
        return True
    limit = item.limits.requests_per_minute
    size = min(item.count, limit // BLOCKS_A_MINUTE)
    if size < 2:
        return False
    last = now + item.ttl_seconds * _NS_PER_S
    tat = subject.take_requests(size, limit, last)
    if tat - now > PERIOD_NS:
        return False
    subject.requests_tat = tat
    subject.hold_block(item.lease_id, Block(last + GIVE_BACK_SECONDS * _NS_PER_S, size, limit))
    reply.allowed, reply.granted = True, size
    return True


def _describe(reply: limiter_pb2.AcquireReply, subject: Subject, limits: common_pb2.Limits, now: int) -> None:
    describe(reply, limits, subject.requests_tat - now, subject.tokens_tat - now)
