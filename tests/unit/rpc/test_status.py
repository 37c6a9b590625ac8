"""The platform's error as a gRPC status and back."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2
from llm_platform.rpc.status import ERROR_KEY, from_rpc_error, to_status

Metadata = grpc.aio.Metadata


def received(code: grpc.StatusCode, *trailing: tuple[str, bytes | str]) -> PlatformError:
    return from_rpc_error(grpc.aio.AioRpcError(code, Metadata(), Metadata(*trailing)), "billing")


@pytest.mark.parametrize("code", list(Code))
def test_every_code_crosses_unchanged(code: Code) -> None:
    error = PlatformError(code, "Größer geht nicht.", retry_after=0.25, param="messages[3]", upstream_status=529)
    status = to_status(error)
    assert status.code is not grpc.StatusCode.OK
    assert received(status.code, *status.metadata) == error


def test_a_failure_that_may_be_tried_elsewhere_is_unavailable_to_grpc() -> None:
    for code in (Code.UNAVAILABLE, Code.DRAINING):
        assert to_status(PlatformError(code, "")).code is grpc.StatusCode.UNAVAILABLE
    for code in (Code.BUDGET_EXCEEDED, Code.RATE_LIMITED, Code.OVERLOADED, Code.INTERNAL):
        assert to_status(PlatformError(code, "")).code is not grpc.StatusCode.UNAVAILABLE


def test_a_code_of_a_newer_release_reads_as_internal() -> None:
    newer = common_pb2.Error(code="quota_paused", message="Paused.", retry_after_ms=500).SerializeToString()
    assert received(grpc.StatusCode.UNKNOWN, (ERROR_KEY, newer)) == PlatformError(Code.INTERNAL, "Paused.", 0.5)


def test_a_long_message_is_cut_so_that_the_metadata_is_not_refused() -> None:
    status = to_status(PlatformError(Code.INVALID_REQUEST, "x" * 100_000))
    assert len(status.details) + len(status.metadata[0][1]) < 8192


def test_garbage_in_the_metadata_falls_back_to_the_status() -> None:
    assert received(grpc.StatusCode.UNAVAILABLE, (ERROR_KEY, b"\xff\xff")).code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("UNAVAILABLE", Code.UNAVAILABLE),
        ("CANCELLED", Code.UNAVAILABLE),
        ("DEADLINE_EXCEEDED", Code.TIMEOUT),
        ("RESOURCE_EXHAUSTED", Code.OVERLOADED),
        ("PERMISSION_DENIED", Code.INTERNAL),
        ("UNAUTHENTICATED", Code.INTERNAL),
        ("UNIMPLEMENTED", Code.INTERNAL),
        ("UNKNOWN", Code.INTERNAL),
    ],
)
def test_a_failure_of_the_transport_is_the_platforms_fault(status: str, code: Code) -> None:
    error = received(grpc.StatusCode[status])
    assert error.code is code
    assert error.status >= 500
    assert "billing" in error.message
