"""One attempt: a provider call from its place in the journal to its outcome."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from llm_platform.core import metrics
from llm_platform.model_proxy import usage
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.provider import Answer, AttemptError, Prepared, Result
from llm_platform.proto import common_pb2, inference_pb2, ledger_pb2


class Attempt:
    """Writes exactly one outcome of its own; ``close`` may say afterwards that no other attempt follows it.

    Who pays what: an attempt that the provider refused or never got counts nothing. A provider's own count is
    ``exact``. Without one, what was asked and what was produced is ``estimated``.
    """

    __slots__ = ("_began", "_call", "_journal", "_record", "_request", "id")

    def __init__(self, journal: Journal, call: inference_pb2.Open, request: Prepared, number: int) -> None:
        route = call.route
        self.id = f"{route.reservation_id}-{number}"
        self._journal = journal
        self._call = call
        self._request = request
        self._began = time.perf_counter()
        self._record = ledger_pb2.Outcome(
            attempt_id=self.id,
            reservation_id=route.reservation_id,
            provider=route.provider,
            model=route.upstream_model,
            sent_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            key_id=call.principal.key_id,
            user_id=call.principal.user_id,
            request_id=call.request_id,
        )

    async def journal(self) -> None:
        """Returns when the attempt is durable and may be made. Raises UNAVAILABLE."""
        await self._journal.sent(self._record)

    def completed(self, answer: Answer) -> inference_pb2.End:
        kind = "exact" if answer.usage is not None else "estimated"
        counted = answer.usage if answer.usage is not None else self._estimate(answer)
        self._end(Result.COMPLETED, kind, counted, answer.status, final=True)
        return inference_pb2.End(usage=counted, usage_kind=kind)

    def failed(self, failure: AttemptError, *, final: bool, answer: Answer | None = None) -> None:
        """``answer`` is what had come of it, if anything had."""
        if answer is not None and answer.usage is not None:
            self._end(failure.result, "exact", answer.usage, failure.status, final=final)
        elif failure.charged:
            self._end(failure.result, "estimated", self._estimate(answer), failure.status, final=final)
        else:
            self._end(failure.result, "exact", common_pb2.Usage(), failure.status, final=final)

    def cancelled(self, answer: Answer | None = None) -> None:
        """The caller left. What the provider produced until then is paid."""
        status = answer.status if answer is not None else 0
        if answer is not None and answer.usage is not None:
            self._end(Result.CANCELLED, "exact", answer.usage, status, final=True)
        else:
            self._end(Result.CANCELLED, "estimated", self._estimate(answer), status, final=True)

    def close(self) -> None:
        """No other attempt follows after all: says the outcome again, as the final one."""
        if not self._record.final:
            self._record.final = True
            self._journal.outcome(self._record)

    def _estimate(self, answer: Answer | None) -> common_pb2.Usage:
        return usage.estimate(
            len(self._request.body),
            self._call.prompt_tokens_bound,
            answer.output_bytes if answer is not None else 0,
            self._call.max_output_tokens,
        )

    def _end(self, result: Result, kind: str, counted: common_pb2.Usage, status: int, *, final: bool) -> None:
        record = self._record
        record.kind = kind
        record.result = result.value
        record.status = status
        record.final = final
        record.usage.CopyFrom(counted)
        self._journal.outcome(record)
        observe(record, time.perf_counter() - self._began)


def observe(record: ledger_pb2.Outcome, seconds: float) -> None:
    """Counts an attempt that has ended."""
    metrics.provider_requests.labels(record.provider, str(record.status)).inc()
    metrics.provider_duration.labels(record.provider).observe(seconds)
    model = metrics.model_label(record.model)
    for kind, count in (("input", record.usage.input_tokens), ("output", record.usage.output_tokens)):
        if count:
            metrics.tokens.labels(record.provider, model, kind, record.kind).inc(count)
