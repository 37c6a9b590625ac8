"""The one error: every code has a meaning, and crosses the wire unchanged."""

from __future__ import annotations

import pytest

from llm_platform.core.errors import Code, Fault, PlatformError
from llm_platform.proto import common_pb2


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_status_and_a_fault(code: Code) -> None:
    error = PlatformError(code, "x")
    assert 400 <= error.status < 600
    assert error.fault in Fault
    assert isinstance(error.retryable, bool)


@pytest.mark.parametrize("code", Code)
def test_an_error_crosses_the_wire_unchanged(code: Code) -> None:
    error = PlatformError(code, "what to do", retry_after=1.5, param="model", upstream_status=429)
    assert PlatformError.from_proto(common_pb2.Error.FromString(error.to_proto().SerializeToString())) == error


def test_absent_details_stay_absent() -> None:
    error = PlatformError.from_proto(PlatformError(Code.INTERNAL, "x").to_proto())
    assert (error.retry_after, error.param, error.upstream_status) == (None, None, None)


def test_a_code_of_a_newer_release_reads_as_internal() -> None:
    error = PlatformError.from_proto(common_pb2.Error(code="from_the_future", message="x"))
    assert error.code is Code.INTERNAL


def test_a_providers_refusal_keeps_its_status() -> None:
    assert PlatformError(Code.PROVIDER_REFUSED, "x", upstream_status=422).status == 422
    assert PlatformError(Code.PROVIDER_REFUSED, "x").status == 400
    assert PlatformError(Code.PROVIDER_FAILED, "x", upstream_status=500).status == 502
