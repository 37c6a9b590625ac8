"""One attempt: a provider call from its place in the journal to its outcome."""

from __future__ import annotations

import time
from functools import cache

from prometheus_client import Counter, Histogram

from llm_platform.core import metrics, tracing
from llm_platform.core.timestamps import Timestamps
from llm_platform.core.tracing import GenAI
from llm_platform.model_proxy import usage
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.provider import Answer, AttemptError, Prepared, Result, Sending
from llm_platform.proto import common_pb2, inference_pb2, ledger_pb2

_timestamp = Timestamps()


class Attempt:
    """Writes exactly one outcome of its own; ``close`` may say afterwards that no other attempt follows it.

    Who pays what: an attempt that the provider refused or never got counts nothing. A provider's own count is
    ``exact``. Without one, or where it has no tokens for a text, what was asked and what was produced is ``estimated``.
    """

    __slots__ = ("_after", "_began", "_body_bytes", "_call", "_journal", "_record", "_span", "id", "sending")

    def __init__(
        self,
        journal: Journal,
        call: inference_pb2.Open,
        request: Prepared,
        number: int,
        after: Attempt | None = None,
    ) -> None:
        """``after`` is the attempt that failed before this one."""
        route = call.route
        self.id = f"{route.reservation_id}-{number}"
        self._journal = journal
        self._call = call
        self._body_bytes = len(request.body)  # the body itself is not kept: a stream may outlive it for long
        self._after = after
        self.sending: Sending | None = None
        """How it is made, once it is."""
        self._began = time.perf_counter()
        self._span = (
            tracing.span(
                f"chat {route.upstream_model}",
                call.traceparent,
                "client",
                {
                    GenAI.OPERATION: "chat",
                    GenAI.PROVIDER: route.provider,
                    GenAI.REQUEST_MODEL: route.upstream_model,
                    "llm.attempt": self.id,
                },
            )
            if call.traceparent
            else tracing.UNSAMPLED
        )
        self._record = ledger_pb2.Outcome(
            attempt_id=self.id,
            reservation_id=route.reservation_id,
            provider=route.provider,
            model=route.upstream_model,
            sent_at=_timestamp(time.time()),
            key_id=call.principal.key_id,
            user_id=call.principal.user_id,
            request_id=call.request_id,
            team_id=call.principal.team_id,
            organization_id=call.principal.organization_id,
            provider_api=route.provider_api,
        )

    async def journal(self) -> None:
        """Returns when the attempt is durable and may be made. Raises UNAVAILABLE."""
        after, self._after = self._after, None
        try:
            await self._journal.sent(self._record)
        except BaseException as error:
            if after is not None:
                after.close()
            self._span.end(error)
            raise
        # What waiting for the disk took is the platform's time, not the provider's.
        self._began = time.perf_counter()
        self._record.sent_at = _timestamp(time.time())

    def completed(self, answer: Answer) -> inference_pb2.End:
        said = _count(answer)
        kind, counted = ("exact", said) if said is not None else ("estimated", self._estimate(answer))
        self._end(Result.COMPLETED, kind, counted, answer.status, final=True)
        return inference_pb2.End(usage=counted, usage_kind=kind)

    def failed(self, failure: AttemptError, *, final: bool, answer: Answer | None = None) -> None:
        """``answer`` is what had come of it, if anything had."""
        if (said := _count(answer)) is not None:
            self._end(failure.result, "exact", said, failure.status, final=final, error=failure.error)
        elif failure.charged:
            self._end(
                failure.result, "estimated", self._estimate(answer), failure.status, final=final, error=failure.error
            )
        else:
            self._end(failure.result, "exact", common_pb2.Usage(), failure.status, final=final, error=failure.error)

    def cancelled(self, answer: Answer | None = None, *, left: bool = True) -> None:
        """The caller left. What the provider produced until then is paid; nothing, if the request never ``left``."""
        status = answer.status if answer is not None else 0
        if (said := _count(answer)) is not None:
            self._end(Result.CANCELLED, "exact", said, status, final=True)
        elif not left:
            self._end(Result.CANCELLED, "exact", common_pb2.Usage(), 0, final=True)
        else:
            self._end(Result.CANCELLED, "estimated", self._estimate(answer), status, final=True)

    def close(self) -> None:
        """No other attempt follows after all: says the outcome again, as the final one."""
        if not self._record.final:
            self._record.final = True
            self._journal.outcome(self._record)

    def _estimate(self, answer: Answer | None) -> common_pb2.Usage:
        """What was asked counts as the provider says, if it says so much."""
        estimated = usage.estimate(
            self._body_bytes,
            self._call.prompt_tokens_bound,
            answer.output_bytes if answer is not None else 0,
            self._call.max_output_tokens,
        )
        if answer is None or answer.usage is None or not answer.usage.input_tokens:
            return estimated
        counted = common_pb2.Usage()
        counted.CopyFrom(answer.usage)
        counted.output_tokens = estimated.output_tokens
        return counted

    def _end(
        self,
        result: Result,
        kind: str,
        counted: common_pb2.Usage,
        status: int,
        *,
        final: bool,
        error: Exception | None = None,
    ) -> None:
        record = self._record
        record.kind = kind
        record.result = result.value
        record.status = status
        record.final = final
        record.usage.CopyFrom(counted)
        duration = time.perf_counter() - self._began
        record.duration_us = max(int(duration * 1_000_000), 1)
        if (sending := self.sending) is not None:
            record.provider_request_id = sending.provider_request_id
            if sending.first_part_at:
                record.first_byte_us = max(int((sending.first_part_at - self._began) * 1_000_000), 1)
        self._journal.outcome(record)
        _observe(record, duration)
        self._span.set(GenAI.INPUT_TOKENS, counted.input_tokens)
        self._span.set(GenAI.OUTPUT_TOKENS, counted.output_tokens)
        self._span.set("llm.result", result.value)
        self._span.end(error)


def _count(answer: Answer | None) -> common_pb2.Usage | None:
    """The provider's own count; None: it gave none, or one that leaves out what it has written."""
    if answer is None or answer.usage is None or (answer.output_bytes and not answer.usage.output_tokens):
        return None
    return answer.usage


def _observe(record: ledger_pb2.Outcome, seconds: float) -> None:
    _requests(record.provider, record.status).inc()
    _duration(record.provider).observe(seconds)
    model = metrics.model_label(record.model)
    if record.usage.input_tokens:
        _tokens(record.provider, model, "input", record.kind).inc(record.usage.input_tokens)
    if record.usage.output_tokens:
        _tokens(record.provider, model, "output", record.kind).inc(record.usage.output_tokens)


@cache  # providers and statuses are few
def _requests(provider: str, status: int) -> Counter:
    return metrics.provider_requests.labels(provider, str(status))


@cache
def _duration(provider: str) -> Histogram:
    return metrics.provider_duration.labels(provider)


@cache  # the model's label is bounded
def _tokens(provider: str, model: str, kind: str, certainty: str) -> Counter:
    return metrics.tokens.labels(provider, model, kind, certainty)
