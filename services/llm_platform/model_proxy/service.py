"""An inference call as a procedure: find the provider, journal the attempt, make it, say what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from llm_platform.core import metrics
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Reply
from llm_platform.model_proxy.attempt import Attempt
from llm_platform.model_proxy.health import ProviderHealth
from llm_platform.model_proxy.journal import Journal
from llm_platform.model_proxy.provider import Answer, AttemptError, Patience, Prepared, Provider, Result
from llm_platform.model_proxy.retry import RetryPolicy
from llm_platform.proto import common_pb2, inference_pb2, providers_pb2


@dataclass
class Serving:
    """A provider with what belongs to serving it."""

    provider: Provider
    retry: RetryPolicy
    timeout: float
    """Seconds to the first byte, and of silence."""
    enabled: bool = True
    health: ProviderHealth = field(default_factory=ProviderHealth)


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
        self._open_metric = metrics.requests_open.labels("model-proxy")

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
        self._open_metric.set(self._open)
        if not self._open:
            self._none_open.set()

    def _opened(self) -> None:
        self._open += 1
        self._open_metric.set(self._open)
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
            raise PlatformError(Code.NO_HEALTHY_PROVIDERS, f"Provider {name} cannot be called: {problem}.")
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
        number = 0
        while True:
            number += 1
            attempt = Attempt(self._journal, call, request, number)
            try:
                await attempt.journal()
            except BaseException:
                serving.health.abandoned()
                raise
            patience = Patience(
                first_byte=max(min(serving.timeout, deadline - loop.time()), 0.001),
                silence=min(serving.timeout, budget),
            )
            try:
                answer = await serving.provider.send(request, attempt.id, patience)
            except AttemptError as failure:
                self._note(serving, failure)
                pause = None
                if not call.forbid_retry and not self._draining:
                    pause = serving.retry.pause_after(number, failure, deadline - loop.time())
                attempt.failed(failure, final=pause is None)
                if pause is None:
                    raise failure.error from None
                metrics.provider_retries.labels(serving.provider.name).inc()
                await _pause(pause, attempt)
            except BaseException:
                serving.health.abandoned()
                attempt.cancelled()
                raise
            else:
                serving.health.succeeded()
                return attempt, answer, number

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
        return _ProxiedReply(self, serving, start, attempt, answer, number, limit)


class _ProxiedReply:
    """A reply under way. Its attempt gets its outcome when it ends, in whichever way."""

    def __init__(
        self,
        service: ModelProxyService,
        serving: Serving,
        start: inference_pb2.Start,
        attempt: Attempt,
        answer: Answer,
        number: int,
        deadline: float,
    ) -> None:
        self.start = start
        self.end: inference_pb2.End | None = None
        self._service = service
        self._serving = serving
        self._attempt = attempt
        self._answer = answer
        self._parts = answer.__aiter__()
        self._number = number
        self._deadline = deadline
        self._settled = False
        if answer.complete:
            self._complete()

    def __aiter__(self) -> _ProxiedReply:
        return self

    async def __anext__(self) -> bytes:
        try:
            part = await anext(self._parts)
        except StopAsyncIteration:
            self._complete()
            raise
        except AttemptError as failure:
            self._fail(failure)
        except BaseException:  # the caller left while it waited
            await self.aclose()
            raise
        if self._answer.complete:
            self._complete()
        elif asyncio.get_running_loop().time() > self._deadline:
            error = PlatformError(Code.TIMEOUT, "The stream is longer than this platform allows.")
            self._fail(AttemptError(error, result=Result.TIMEOUT, status=200, unhealthy=False, charged=True))
        return part

    async def aclose(self) -> None:
        """Ends the provider call if it is still under way."""
        if self._settled:
            return
        self._settled = True
        self._answer.close()
        self._attempt.cancelled(self._answer)
        self._service.closed()

    def _complete(self) -> None:
        if self._settled:
            return
        self._settled = True
        self.end = self._attempt.completed(self._answer)
        self.end.attempts = self._number
        self._service.closed()

    def _fail(self, failure: AttemptError) -> NoReturn:
        if not self._settled:
            self._settled = True
            self._answer.close()
            if failure.unhealthy:
                self._serving.health.failed(failure.error.message)
            self._attempt.failed(failure, final=True, answer=self._answer)
            self._service.closed()
        raise failure.error from None


class ProvidersService:
    """The control side: implements ``Providers``."""

    def __init__(self, providers: Mapping[str, Serving], reload: Callable[[], Awaitable[None]]) -> None:
        self._providers = providers
        self._reload = reload

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths:  # noqa: ARG002
        return providers_pb2.ProviderHealths(items=[_state_of(serving) for serving in self._providers.values()])

    async def reload(self, request: common_pb2.Empty) -> common_pb2.Empty:  # noqa: ARG002
        """Fetches the keys again and gives every provider a fresh start."""
        await self._reload()
        for serving in self._providers.values():
            serving.health.reset()
        return common_pb2.Empty()


def _state_of(serving: Serving) -> providers_pb2.ProviderHealth:
    health = serving.health
    successes, failures = health.counts()
    problem = serving.provider.problem()
    state, detail = "healthy", ""
    if not serving.enabled:
        state, detail = "unconfigured", "disabled by configuration"
    elif problem is not None:
        state, detail = "unconfigured", problem
    elif health.circuit != "closed":
        state, detail = "down", health.last_failure
    elif failures:
        state, detail = "degraded", health.last_failure
    return providers_pb2.ProviderHealth(
        name=serving.provider.name,
        type=serving.provider.type,
        enabled=serving.enabled,
        state=state,
        detail=detail,
        models=serving.provider.models,
        successes=successes,
        failures=failures,
        score=health.score,
        circuit=health.circuit.value,
    )


async def _pause(seconds: float, attempt: Attempt) -> None:
    try:
        await asyncio.sleep(seconds)
    except BaseException:  # the caller left between two attempts: no other follows
        attempt.close()
        raise
