"""What a provider is to this service: something that takes one attempt and answers, or says how it failed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from llm_platform.core.errors import PlatformError
from llm_platform.core.provider_ids import provider_request_id
from llm_platform.core.redaction import Secret
from llm_platform.proto import common_pb2, inference_pb2


class Result(StrEnum):
    """What became of an attempt: ``Outcome.result``."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    LOST = "lost"


@dataclass(frozen=True)
class Prepared:
    """A request as the provider wants it; nothing was sent yet."""

    body: bytes
    stream: bool
    usage_wanted: bool
    """The caller wants usage in the stream; otherwise it is read here and not passed on."""
    model: str = ""
    """The provider's name of the model."""


@dataclass
class Sending:
    """One attempt as it is made."""

    attempt_id: str
    first_byte: float
    """Seconds it may take to its first byte."""
    silence: float
    """Seconds it may be silent after that."""
    key: Secret[str] | None = None
    """What it is made with: given when the provider refused another one, else noted by ``Provider.send``."""
    left: bool = False
    """The request is on its way: the provider may work on it, and charge."""

    first_part_at: float = 0.0
    """When the first part of an answer was here: of a stream its first events, else the head of the response. Seconds
    of ``time.perf_counter``; 0: nothing has come."""
    provider_request_id: str = ""
    """The provider's own id of the call, cut and cleaned."""

    def has_left(self) -> None:
        self.left = True

    def has_begun(self) -> None:
        """The first part of an answer is here."""
        self.first_part_at = time.perf_counter()

    def has_id(self, said: str) -> None:
        """What the provider calls it."""
        self.provider_request_id = provider_request_id(said)


class Answer(Protocol):
    """An answer under way, its first part already here. Iterate it to the end, or ``close`` it.

    Iteration raises ``AttemptError`` when the answer breaks off.
    """

    status: int
    content_type: str
    headers: dict[str, str]
    usage: common_pb2.Usage | None
    """As the provider counted, once it said so."""
    output_bytes: int
    """Bytes of generated text so far."""
    complete: bool
    """Everything has arrived: nothing is left that a closed connection could stop."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def close(self) -> None:
        """Ends the provider call at once."""
        ...


class Provider(Protocol):
    """Speaks one provider's dialect."""

    name: str
    type: str
    models: list[str]

    def problem(self) -> str | None:
        """Why no call can be made at all (no key, say) and what to do about it; None if it can."""
        ...

    def prepare(self, call: inference_pb2.Open, body: bytes) -> Prepared:
        """Raises ``PlatformError`` for a request that cannot be sent."""
        ...

    async def send(self, request: Prepared, sending: Sending) -> Answer:
        """Makes the provider call. Returns once the first part of the answer is here. Raises ``AttemptError``."""
        ...


class AttemptError(Exception):
    """An attempt without a (whole) answer: what the caller is told, and what the money needs to know."""

    def __init__(
        self,
        error: PlatformError,
        *,
        result: Result = Result.FAILED,
        status: int = 0,
        retry: bool = False,
        unhealthy: bool = True,
        written: bool = False,
        charged: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.result = result
        self.status = status
        """HTTP status of the provider, 0 if none came."""
        self.retry = retry
        """Another attempt may succeed, as long as nothing was passed on."""
        self.unhealthy = unhealthy
        """Counts against the provider's health."""
        self.written = written
        """The whole request left this process."""
        self.charged = charged
        """The provider may have worked on it, so it may charge; False: it certainly counts nothing."""
