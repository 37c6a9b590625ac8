"""A reply under way: what model-proxy gives to whoever asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Take, pour
from llm_platform.model_proxy.attempt import Attempt
from llm_platform.model_proxy.provider import Answer, AttemptError, Result
from llm_platform.model_proxy.providers import Serving
from llm_platform.proto import inference_pb2


class ProxiedReply:
    """A reply under way. Its attempt gets its outcome when it ends, in whichever way."""

    def __init__(
        self,
        closed: Callable[[], None],
        serving: Serving,
        start: inference_pb2.Start,
        attempt: Attempt,
        answer: Answer,
        number: int,
        deadline: float,
    ) -> None:
        self.start = start
        self.end: inference_pb2.End | None = None
        self._closed = closed
        self._serving = serving
        self._attempt = attempt
        self._answer = answer
        self._parts = answer.__aiter__()
        self._number = number
        self._deadline = deadline
        self._now = asyncio.get_running_loop().time
        self._settled = False
        if answer.complete:
            self._complete()

    def __aiter__(self) -> ProxiedReply:
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
        try:
            self._look()
        except AttemptError as failure:
            self._fail(failure)
        return part

    async def pour(self, take: Take) -> None:
        """See ``core.inference.pour``."""

        def passing(part: bytes) -> Awaitable[None] | None:
            self._look()
            return take(part)

        try:
            await pour(self._answer, passing)
        except AttemptError as failure:
            self._fail(failure)
        except BaseException:  # the caller left
            await self.aclose()
            raise
        self._complete()

    def _look(self) -> None:
        """At each part. Raises ``AttemptError`` when the stream has become too long."""
        if self._answer.complete:
            self._complete()
        elif self._now() > self._deadline:
            error = PlatformError(Code.TIMEOUT, "The stream is longer than this platform allows.")
            raise AttemptError(error, result=Result.TIMEOUT, status=200, unhealthy=False, charged=True)

    async def aclose(self) -> None:
        """Ends the provider call if it is still under way."""
        if self._settled:
            return
        self._settled = True
        self._answer.close()
        self._attempt.cancelled(self._answer)
        self._closed()

    def _complete(self) -> None:
        if self._settled:
            return
        self._settled = True
        self.end = self._attempt.completed(self._answer)
        self.end.attempts = self._number
        self._closed()

    def _fail(self, failure: AttemptError) -> NoReturn:
        if not self._settled:
            self._settled = True
            self._answer.close()
            if failure.unhealthy:
                self._serving.health.failed(failure.error.message)
            self._attempt.failed(failure, final=True, answer=self._answer)
            self._closed()
        raise failure.error from None
