"""An inference call as a procedure: find the provider, journal the attempt, make it, say what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Reply
from llm_platform.core.redaction import Secret
from llm_platform.model_proxy.attempt import Attempt
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.provider import Answer, AttemptError, Prepared, Sending
from llm_platform.model_proxy.providers import Serving
from llm_platform.model_proxy.reply import ProxiedReply
from llm_platform.proto import inference_pb2


class ModelProxyService:
    """Executes calls that head has decided: implements ``Inference``."""

    def __init__(self, providers: Mapping[str, Serving], journal: Journal, *, stream_max_seconds: float) -> None:
        self._providers = providers
        self._journal = journal
        self._stream_max_seconds = stream_max_seconds
        self._open = 0
        self._draining = False
        self._none_open = asyncio.Event()
        self._none_open.set()
        metrics.requests_open.labels("model-proxy").set_function(lambda: self._open)

    async def open(self, call: inference_pb2.Open, body: bytes) -> Reply:
        """Raises ``PlatformError``; every attempt made until then has its outcome in the journal."""
        if self._draining:
            raise PlatformError(Code.DRAINING, "This replica is stopping.", retry_after=1)
        serving = self._find(call.route.provider)
        request = serving.provider.prepare(call, body)
        self._admit(serving)
        self._opened()
        try:
            attempt, answer, number = await self._attempts(serving, call, request)
        except BaseException:
            self.closed()
            raise
        return self._reply(serving, call, attempt, answer, number)

    async def drain(self) -> None:
        """Refuses new calls and returns when the open ones have ended."""
        self._draining = True
        await self._none_open.wait()

    def closed(self) -> None:
        """A call has ended."""
        self._open -= 1
        if not self._open:
            self._none_open.set()

    def _opened(self) -> None:
        self._open += 1
        self._none_open.clear()

    def _find(self, name: str) -> Serving:
        serving = self._providers.get(name)
        if serving is None or not serving.enabled:
            known = ", ".join(sorted(self._providers)) or "none"
            reason = "is not enabled" if serving else f"is not known here; known: {known}"
            raise PlatformError(Code.NO_HEALTHY_PROVIDERS, f"Provider {name} {reason}.")
        return serving

    def _admit(self, serving: Serving) -> None:
        name = serving.provider.name
        if (problem := serving.provider.problem()) is not None:
            raise PlatformError(
                Code.NO_HEALTHY_PROVIDERS, f"Provider {name} cannot be called: {problem}.", retry_after=1
            )
        if wait := serving.health.admit():
            reason = f"Provider {name} is failing and is left alone for a moment: {serving.health.last_failure}"
            raise PlatformError(Code.NO_HEALTHY_PROVIDERS, reason, retry_after=wait)

    async def _attempts(
        self, serving: Serving, call: inference_pb2.Open, request: Prepared
    ) -> tuple[Attempt, Answer, int]:
        """Tries until an answer begins, or until another attempt would not help or come in time."""
        loop = asyncio.get_running_loop()
        budget = call.timeout_ms / 1000 if call.timeout_ms else serving.timeout
        deadline = loop.time() + budget
        number = 1
        key: Secret[str] | None = None
        refused: list[Secret[str]] = []
        attempt = Attempt(self._journal, call, request, number)
        while True:
            await self._journaled(serving, attempt)
            sending = attempt.sending = Sending(
                attempt.id,
                first_byte=max(min(serving.timeout, deadline - loop.time()), 0.001),
                silence=min(serving.timeout, budget),
                key=key,
            )
            try:
                answer = await serving.provider.send(request, sending)
            except AttemptError as failure:
                other = await self._other_key(serving, attempt, failure, sending.key, refused)
                if other is not None and loop.time() < deadline:
                    # The provider has not worked on it: no retry that a caller could forbid.
                    key = other
                    attempt.failed(failure, final=False)
                    number += 1
                    attempt = Attempt(self._journal, call, request, number, after=attempt)
                    continue
                self._note(serving, failure)
                pause = serving.retry.pause_after(number - len(refused), failure, deadline - loop.time())
                if pause is None or call.forbid_retry:
                    attempt.failed(failure, final=True)
                    raise failure.error from None
                attempt.failed(failure, final=False)
                await _pause(pause, attempt)
                metrics.provider_retries.labels(serving.provider.name).inc()
                number += 1
                attempt = Attempt(self._journal, call, request, number, after=attempt)
            except BaseException:
                serving.health.abandoned()
                attempt.cancelled(left=sending.left)
                raise
            else:
                serving.health.succeeded()
                return attempt, answer, number

    async def _other_key(
        self,
        serving: Serving,
        attempt: Attempt,
        failure: AttemptError,
        used: Secret[str] | None,
        refused: list[Secret[str]],
    ) -> Secret[str] | None:
        """Another key, when the provider refused this one: during a rotation both may be right."""
        if failure.error.code is not Code.PROVIDER_AUTHENTICATION or serving.key is None or used is None:
            return None
        refused.append(used)
        try:
            return await serving.key.another(refused, used)
        except BaseException:  # the caller left
            serving.health.abandoned()
            attempt.failed(failure, final=True)
            raise

    async def _journaled(self, serving: Serving, attempt: Attempt) -> None:
        try:
            await attempt.journal()
        except BaseException:
            serving.health.abandoned()
            raise

    def _note(self, serving: Serving, failure: AttemptError) -> None:
        if failure.unhealthy:
            serving.health.failed(failure.error.message)
        elif failure.status:
            serving.health.succeeded()  # it refused this request, or limits the rate: it is there
        else:
            serving.health.abandoned()

    def _reply(
        self, serving: Serving, call: inference_pb2.Open, attempt: Attempt, answer: Answer, number: int
    ) -> Reply:
        start = inference_pb2.Start(
            status=answer.status,
            content_type=answer.content_type,
            provider=call.route.provider,
            model=call.route.upstream_model,
            headers=answer.headers,
        )
        limit = asyncio.get_running_loop().time() + self._stream_max_seconds
        return ProxiedReply(self.closed, serving, start, attempt, answer, number, limit)


async def _pause(seconds: float, attempt: Attempt) -> None:
    try:
        await asyncio.sleep(seconds)
    except BaseException:  # the caller left between two attempts: no other follows
        attempt.close()
        raise
