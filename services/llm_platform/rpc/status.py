"""The platform's error as a gRPC status and back.

The status code is for proxies, dashboards and retry policies; the error itself travels whole in the
trailing metadata ``llm-error-bin`` and is what the caller gets.
"""

from __future__ import annotations

from typing import NamedTuple

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2

ERROR_KEY = "llm-error-bin"

_MESSAGE_LIMIT = 2000
"""Characters. A peer refuses metadata above 8 KiB, and the reason would be lost with it."""

_S = grpc.StatusCode
_STATUS: dict[Code, grpc.StatusCode] = {
    Code.INVALID_REQUEST: _S.INVALID_ARGUMENT,
    Code.BODY_TOO_LARGE: _S.INVALID_ARGUMENT,
    Code.NOT_FOUND: _S.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: _S.INVALID_ARGUMENT,
    Code.MODEL_NOT_FOUND: _S.NOT_FOUND,
    Code.CONFLICT: _S.ABORTED,
    Code.UNAUTHENTICATED: _S.UNAUTHENTICATED,
    Code.PERMISSION_DENIED: _S.PERMISSION_DENIED,
    Code.RATE_LIMITED: _S.RESOURCE_EXHAUSTED,
    Code.BUDGET_EXCEEDED: _S.RESOURCE_EXHAUSTED,
    Code.PRICE_UNKNOWN: _S.FAILED_PRECONDITION,
    Code.OVERLOADED: _S.RESOURCE_EXHAUSTED,
    Code.UNAVAILABLE: _S.UNAVAILABLE,
    Code.DRAINING: _S.UNAVAILABLE,
    Code.NO_HEALTHY_PROVIDERS: _S.FAILED_PRECONDITION,
    Code.TIMEOUT: _S.DEADLINE_EXCEEDED,
    Code.CANCELLED: _S.CANCELLED,
    Code.LINK_BROKEN: _S.ABORTED,
    Code.INTERNAL: _S.INTERNAL,
}


class Status(NamedTuple):
    """What ``ServicerContext.abort`` takes."""

    code: grpc.StatusCode
    details: str
    metadata: tuple[tuple[str, bytes], ...]


def to_status(error: PlatformError) -> Status:
    """Failures that only the codes above tell apart at a provider are UNKNOWN to gRPC."""
    message = error.to_proto()
    message.message = message.message[:_MESSAGE_LIMIT]
    code = _STATUS.get(error.code, grpc.StatusCode.UNKNOWN)
    return Status(code, f"{error.code}: {message.message}", ((ERROR_KEY, message.SerializeToString()),))


def from_rpc_error(error: grpc.aio.AioRpcError, provider: str) -> PlatformError:
    """The error that ``provider`` raised, or, if it raised none, what became of the call."""
    for key, value in error.trailing_metadata() or ():
        if key == ERROR_KEY and isinstance(value, bytes):
            try:
                return PlatformError.from_proto(common_pb2.Error.FromString(value))
            except DecodeError:
                break
    return _transport_failure(error.code(), provider)


def _transport_failure(code: grpc.StatusCode, provider: str) -> PlatformError:
    """A failure without an error of ours: the peer is away, or gRPC itself refused.

    A refusal is no fault of the end user, so it must not reach one as 401 or 403.
    """
    match code:
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return PlatformError(Code.UNAVAILABLE, f"The service {provider} cannot be reached.", retry_after=1)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return PlatformError(Code.TIMEOUT, f"The service {provider} did not answer in time.", retry_after=1)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return PlatformError(Code.OVERLOADED, f"The service {provider} takes no more calls now.", retry_after=1)
        case grpc.StatusCode.PERMISSION_DENIED | grpc.StatusCode.UNAUTHENTICATED:
            return PlatformError(
                Code.INTERNAL, f"The service {provider} refused an internal call; its log has the reason."
            )
        case _:
            return PlatformError(Code.INTERNAL, f"An internal call to {provider} failed ({code.name.lower()}).")
