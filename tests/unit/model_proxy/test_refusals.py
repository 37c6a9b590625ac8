"""What a provider's error response means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from llm_platform.core.errors import Code
from llm_platform.core.redaction import Secret
from llm_platform.model_proxy import refusals
from llm_platform.model_proxy.provider import AttemptError
from llm_platform.model_proxy.retry import RetryPolicy

KEY = Secret("sk-0123456789abcdef0123")


def failure(status: int, body: bytes = b"{}", **headers: str) -> AttemptError:
    given = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return refusals.failure_of("sim", status, refusals.parse(body), given.get, KEY)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after_ms": "250", "retry_after": "7"}, 0.25),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after_ms": "nan"}, None),
        ({"retry_after_ms": "inf"}, 86400),
        ({"retry_after": "9999999999"}, 86400),
        ({}, None),
    ],
)
def test_when_to_come_back_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert failure(429, **headers).error.retry_after == seconds


def test_when_to_come_back_may_be_a_date() -> None:
    later = failure(503, retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True))
    assert later.error.retry_after == pytest.approx(30, abs=3)
    past = failure(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")
    assert past.error.retry_after == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"No.","param":"n","code":null,"type":"x"}}', "No."),
        (b'{"error":"No."}', "No."),
        (b'{"message":"No."}', "No."),
        (b'{"detail":"No."}', "No."),
        (b'{"detail":[{"loc":["body"]}]}', "Provider sim refused the request with status 400."),
        (b"<html>Bad gateway</html>", "Provider sim refused the request with status 400."),
        (b"\xff\xfe", "Provider sim refused the request with status 400."),
        (b"", "Provider sim refused the request with status 400."),
    ],
)
def test_a_refusal_is_read_from_any_shape(body: bytes, message: str) -> None:
    refused = failure(400, body)
    assert (refused.error.code, refused.error.message) == (Code.PROVIDER_REFUSED, message)


@pytest.mark.case(21)
def test_a_message_is_bounded_and_holds_no_key() -> None:
    body = b'{"error":{"message":"key sk-0123456789abcdef0123, Bearer sk-another-key-of-someone %s"}}' % (b"x" * 5000)
    message = failure(400, body).error.message
    assert "sk-0" not in message
    assert "sk-another" not in message
    assert len(message) == 1000


@pytest.mark.parametrize("code", ["insufficient_quota", "credit_balance_exhausted", "monthly_spend_limit_exceeded"])
@pytest.mark.parametrize("field", ["code", "type"])
def test_an_account_without_credit_is_not_retried_and_counts_as_unhealthy(code: str, field: str) -> None:
    broke = failure(429, b'{"error":{"message":"x","%s":"%s"}}' % (field.encode(), code.encode()))
    assert (broke.retry, broke.unhealthy, broke.error.code) == (False, True, Code.PROVIDER_RATE_LIMITED)


@pytest.mark.parametrize(
    ("status", "retry", "unhealthy"),
    [(400, False, False), (401, False, True), (408, True, False), (409, True, False), (429, True, False),
     (500, True, True), (529, True, True), (301, False, True)],
)  # fmt: skip
def test_what_is_retried_and_what_counts(status: int, retry: bool, unhealthy: bool) -> None:
    failed = failure(status)
    assert (failed.retry, failed.unhealthy) == (retry, unhealthy)


def test_backoff_doubles_with_full_jitter_up_to_a_limit() -> None:
    failed = failure(500)
    longest = RetryPolicy(retries=10, jitter=lambda: 1.0)
    pauses = [longest.pause_after(number, failed, 100) for number in range(1, 9)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 8, 8]
    assert RetryPolicy(retries=10, jitter=lambda: 0.0).pause_after(3, failed, 100) == 0
    assert longest.pause_after(11, failed, 100) is None
    assert longest.pause_after(5, failed, 3.9) is None
    assert longest.pause_after(1, failure(400), 100) is None


def test_a_provider_that_says_when_is_believed_as_long_as_the_caller_waits() -> None:
    policy = RetryPolicy(retries=2)
    assert policy.pause_after(1, failure(429, retry_after="3"), 10) == 3
    assert policy.pause_after(1, failure(429, retry_after="30"), 10) is None
