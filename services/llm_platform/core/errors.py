"""The one error of the platform.

It crosses gRPC and the relay unchanged (``rpc/status.py``, ``relay``) and is rendered once per API
dialect at the edge (``http/dialects``). Raise it with one of the codes below; nothing else is shown
to a caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from llm_platform.proto import common_pb2


class Fault(StrEnum):
    """Whose fault a failure is: the value of ``x-error-fault`` and of the metric label."""

    CALLER = "caller"
    POLICY = "policy"
    PLATFORM = "platform"
    PROVIDER = "provider"


class _Meaning(NamedTuple):
    status: int
    fault: Fault
    retryable: bool


class Code(StrEnum):
    """The closed vocabulary of failures. An unknown code from a newer release reads as INTERNAL."""

    INVALID_REQUEST = "invalid_request"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    REQUEST_TIMEOUT = "request_timeout"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MODEL_NOT_FOUND = "model_not_found"
    CONFLICT = "conflict"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission_denied"
    RATE_LIMITED = "rate_limited"
    BUDGET_EXCEEDED = "budget_exceeded"
    PRICE_UNKNOWN = "price_unknown"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    DRAINING = "draining"
    NO_HEALTHY_PROVIDERS = "no_healthy_providers"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    LINK_BROKEN = "link_broken"
    PROVIDER_REFUSED = "provider_refused"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_AUTHENTICATION = "provider_authentication"
    PROVIDER_FAILED = "provider_failed"
    PROVIDER_TIMEOUT = "provider_timeout"
    INTERNAL = "internal"


_MEANINGS: dict[Code, _Meaning] = {
    Code.INVALID_REQUEST: _Meaning(400, Fault.CALLER, False),
    Code.BODY_TOO_LARGE: _Meaning(413, Fault.CALLER, False),
    Code.UNSUPPORTED_MEDIA_TYPE: _Meaning(415, Fault.CALLER, False),
    Code.REQUEST_TIMEOUT: _Meaning(408, Fault.CALLER, True),
    Code.NOT_FOUND: _Meaning(404, Fault.CALLER, False),
    Code.METHOD_NOT_ALLOWED: _Meaning(405, Fault.CALLER, False),
    Code.MODEL_NOT_FOUND: _Meaning(404, Fault.CALLER, False),
    Code.CONFLICT: _Meaning(409, Fault.CALLER, False),
    Code.UNAUTHENTICATED: _Meaning(401, Fault.CALLER, False),
    Code.PERMISSION_DENIED: _Meaning(403, Fault.POLICY, False),
    Code.RATE_LIMITED: _Meaning(429, Fault.POLICY, True),
    Code.BUDGET_EXCEEDED: _Meaning(429, Fault.POLICY, False),
    Code.PRICE_UNKNOWN: _Meaning(400, Fault.POLICY, False),
    Code.OVERLOADED: _Meaning(503, Fault.PLATFORM, True),
    Code.UNAVAILABLE: _Meaning(503, Fault.PLATFORM, True),
    Code.DRAINING: _Meaning(503, Fault.PLATFORM, True),
    Code.NO_HEALTHY_PROVIDERS: _Meaning(503, Fault.PROVIDER, True),
    Code.TIMEOUT: _Meaning(504, Fault.PLATFORM, True),
    Code.CANCELLED: _Meaning(499, Fault.CALLER, False),
    Code.LINK_BROKEN: _Meaning(502, Fault.PLATFORM, True),
    # A refusal keeps the provider's own status (`upstream_status`); this is only the fallback.
    Code.PROVIDER_REFUSED: _Meaning(400, Fault.CALLER, False),
    Code.PROVIDER_RATE_LIMITED: _Meaning(429, Fault.PROVIDER, True),
    Code.PROVIDER_AUTHENTICATION: _Meaning(502, Fault.PROVIDER, False),
    Code.PROVIDER_FAILED: _Meaning(502, Fault.PROVIDER, True),
    Code.PROVIDER_TIMEOUT: _Meaning(504, Fault.PROVIDER, True),
    Code.INTERNAL: _Meaning(500, Fault.PLATFORM, True),
}


class CannotStartError(Exception):
    """What an operator must mend before this can run. Says what and how, in a line without secrets."""


@dataclass
class PlatformError(Exception):
    """A failure as the caller may see it.

    ``message`` is shown to callers: it says what is wrong and what to do, and never holds a secret,
    a stack or an address. ``retry_after`` is in seconds.
    """

    code: Code
    message: str
    retry_after: float | None = None
    param: str | None = None
    upstream_status: int | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def status(self) -> int:
        """The HTTP status shown to the caller."""
        if self.code is Code.PROVIDER_REFUSED and self.upstream_status:
            return self.upstream_status
        return _MEANINGS[self.code].status

    @property
    def fault(self) -> Fault:
        return _MEANINGS[self.code].fault

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later or elsewhere."""
        return _MEANINGS[self.code].retryable

    def to_proto(self) -> common_pb2.Error:
        return common_pb2.Error(
            code=self.code.value,
            message=self.message,
            fault=self.fault.value,
            retryable=self.retryable,
            retry_after_ms=int((self.retry_after or 0) * 1000),
            param=self.param or "",
            upstream_status=self.upstream_status or 0,
        )

    @classmethod
    def from_proto(cls, error: common_pb2.Error) -> PlatformError:
        try:
            code = Code(error.code)
        except ValueError:
            code = Code.INTERNAL
        return cls(
            code,
            error.message,
            retry_after=error.retry_after_ms / 1000 or None,
            param=error.param or None,
            upstream_status=error.upstream_status or None,
        )
