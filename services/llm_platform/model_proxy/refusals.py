"""What a provider's error response means: for the caller, for a retry, for the provider's health.

Source: https://platform.openai.com/docs/guides/error-codes, and what other OpenAI-compatible servers do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import msgspec

from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.redaction import REDACTED, Secret, redact
from llm_platform.model_proxy.provider import AttemptError

_LONGEST_MESSAGE = 1000
_RETRIED = {408, 409, 429}
_OUT_OF_MONEY = {"insufficient_quota", "credit_balance_exhausted"}
_LONGEST_RETRY_AFTER = 24 * 3600.0


class _Error(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    param: str | None = None
    code: str | int | None = None


class _Body(msgspec.Struct):
    error: _Error | str | None = None
    message: str | None = None
    detail: str | None = None


def parse(body: bytes) -> _Error:
    """The provider's error, from OpenAI's shape or from the simpler ones of others; empty if it is neither."""
    try:
        parsed = msgspec.json.decode(body, type=_Body, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Error()
    if isinstance(parsed.error, _Error):
        return parsed.error
    return _Error(message=parsed.error or parsed.message or parsed.detail)


def failure_of(
    provider: str, status: int, error: _Error, header: Callable[[bytes], str | None], key: Secret[str] | None
) -> AttemptError:
    """The failure that a response with an error status is. No text of the provider leaves with a key in it."""
    retry_after = retry_after_of(header)
    wanted = header(b"x-should-retry")
    kinds = {str(error.code or ""), error.type or ""}
    broke = any(kind in _OUT_OF_MONEY or kind.endswith("_spend_limit_exceeded") for kind in kinds)
    retry = (status in _RETRIED or status >= 500) and not broke and wanted != "false"
    unhealthy = broke or status >= 500 or status in {401, 402, 403} or status < 400

    def failed(code: Code, message: str, param: str | None = None) -> AttemptError:
        return AttemptError(
            PlatformError(code, message, retry_after=retry_after, param=param, upstream_status=status),
            status=status,
            retry=retry,
            unhealthy=unhealthy,
            written=True,
        )

    if broke or status == 402:
        return failed(Code.PROVIDER_RATE_LIMITED, f"The account at provider {provider} is out of credit.")
    if status in {401, 403}:
        return failed(
            Code.PROVIDER_AUTHENTICATION,
            f"Provider {provider} refuses the platform's key."
            f" Set it with: llm-gateway secrets set llm/{provider}/api_key",
        )
    if status == 429:
        return failed(Code.PROVIDER_RATE_LIMITED, f"Provider {provider} limits the rate of requests.")
    if 400 <= status < 500 and status != 408:
        message = clean(error.message, key) or f"Provider {provider} refused the request with status {status}."
        return failed(Code.PROVIDER_REFUSED, message, clean(error.param, key))
    if status < 400:
        return failed(Code.PROVIDER_FAILED, f"Provider {provider} answered with status {status}: check its base_url.")
    return failed(Code.PROVIDER_FAILED, f"Provider {provider} failed with status {status}.")


def clean(text: str | None, key: Secret[str] | None) -> str | None:
    """A provider's text as it may be shown: no key, no more than a thousand characters."""
    if not text:
        return None
    if key:
        text = text.replace(key.reveal(), REDACTED)
    return redact(text)[:_LONGEST_MESSAGE]


def retry_after_of(header: Callable[[bytes], str | None]) -> float | None:
    """Seconds from ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date); None if absent or nonsense."""
    try:
        if milliseconds := header(b"retry-after-ms"):
            seconds = float(milliseconds) / 1000
        elif not (value := header(b"retry-after")):
            return None
        elif value[:1].isdigit():
            seconds = float(value)
        else:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)
