"""Requests and tokens a minute, and requests at once, in the memory of one process."""

from __future__ import annotations

import time
from collections.abc import Callable

from llm_platform.core import metrics
from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.decision import CONCURRENCY_RETRY_NS, acquire_of_several, take_block
from llm_platform.rate_limiter.gcra import PERIOD_NS, cost_ns, tolerance_ns
from llm_platform.rate_limiter.reply import allow, fill, refuse
from llm_platform.rate_limiter.scopes import scopes_of, subjects_of
from llm_platform.rate_limiter.store import NS_PER_S, Subject, Subjects


class MemoryLimiter:
    """The Limiter of one process (docs/limits.md). Limits arrive with each item; nothing is configured here.

    A restart forgets everything: limits are full again. Nothing awaits inside a batch, so a batch is
    decided as one step, item after item.
    """

    def __init__(self, default_ttl_seconds: int, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._default_ttl_seconds = default_ttl_seconds
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
            if item.scopes:
                self._acquire_of_several(item, add(), now)
            else:
                self._acquire(item, add(), now)
        metrics.limiter_subjects.set(len(self._subjects))
        return replies

    async def finish(self, request: limiter_pb2.FinishBatch) -> common_pb2.Empty:
        """Ends leases and blocks, and corrects what they took. One not held (expired, ended) is left as it is."""
        now = self._clock_ns()
        for item in request.items:
            for name in subjects_of(item) if item.scopes else (item.subject,):
                if (subject := self._subjects.find(name)) is not None:
                    _finish(item, subject, now)
        return common_pb2.Empty()

    async def check(self) -> str | None:
        """For readiness: this process's memory always does its part."""
        return None

    def _acquire_of_several(self, item: limiter_pb2.Acquire, reply: limiter_pb2.AcquireReply, now: int) -> None:
        scopes = scopes_of(item)
        if not scopes:
            allow(reply)
            return
        subjects = self._subjects.take_all([scope.subject for scope in scopes], now)
        ttl_seconds = item.ttl_seconds or self._default_ttl_seconds
        acquire_of_several(item, ttl_seconds, scopes, subjects, reply, now)

    def _acquire(  # noqa: PLR0912 - its parts as functions would cost as much as they do
        self, item: limiter_pb2.Acquire, reply: limiter_pb2.AcquireReply, now: int
    ) -> None:
        """What ``acquire_of_several`` decides, for one subject at half the cost: most calls have one."""
        limits = item.limits
        request_limit, token_limit, concurrency = (
            limits.requests_per_minute,
            limits.tokens_per_minute,
            limits.concurrency,
        )
        if not (request_limit or token_limit or concurrency):
            allow(reply)
            return
        subject = self._subjects.take(item.subject, now)
        subject.forget_expired(now)
        request_tolerance = token_tolerance = PERIOD_NS
        if request_limit and (burst := limits.requests_burst):
            request_tolerance = tolerance_ns(burst, request_limit)
        if token_limit and (burst := limits.tokens_burst):
            token_tolerance = tolerance_ns(burst, token_limit)

        lease_id, granted = item.lease_id, 0
        if item.count > 1 and not (token_limit or concurrency):
            granted = take_block(item, (subject,), (request_limit,), (request_tolerance,), now)
        if granted or lease_id in subject.leases:  # the same call once more: its first answer was lost on the way
            allow(reply, granted)
        else:
            requests_tat = tokens_tat = tokens_ns = wait_ns = 0
            denied_by = ""
            if request_limit:
                requests_tat = subject.after_requests(1, request_limit, now)
                if requests_tat - now > request_tolerance:
                    denied_by, wait_ns = "requests", requests_tat - now - request_tolerance
            if token_limit:
                tokens_ns = cost_ns(item.tokens, token_limit)
                tokens_tat = max(subject.tokens_tat, now)
                token_wait_ns = tokens_tat - now + tokens_ns - token_tolerance
                if token_wait_ns > wait_ns:
                    denied_by, wait_ns = "tokens", token_wait_ns
            if concurrency and len(subject.leases) >= concurrency and wait_ns < CONCURRENCY_RETRY_NS:
                denied_by, wait_ns = "concurrency", CONCURRENCY_RETRY_NS

            if tokens_ns > token_tolerance:  # more than the limit ever holds: waiting does not help
                refuse(reply, "tokens", item.subject, 0)
            elif denied_by:
                refuse(reply, denied_by, item.subject, wait_ns)
            else:
                if request_limit:
                    subject.requests_tat = requests_tat
                if token_limit or concurrency:  # requests alone need no Finish
                    ttl_seconds = item.ttl_seconds or self._default_ttl_seconds
                    subject.hold(lease_id, now + ttl_seconds * NS_PER_S, tokens_ns, token_limit, tokens_tat, now)
                allow(reply)
        if request_limit:
            fill(reply.requests, request_limit, request_tolerance, subject.requests_tat - now)
        if token_limit:
            fill(reply.tokens, token_limit, token_tolerance, subject.tokens_tat - now)


def _finish(item: limiter_pb2.Finish, subject: Subject, now: int) -> None:
    subject.forget_expired(now)
    lease_id = item.lease_id
    if subject.block(lease_id):
        subject.end_block(lease_id, item.requests)
    subject.end(lease_id, None if item.estimate_stands else item.tokens, now)
