"""What may be asked for: every bound on names, limits and times, checked before the database is touched."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from llm_platform.core.actor import ROLES
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2

MAX_KEYS_PER_BATCH = 1_000
MAX_MODELS = 200
MAX_PER_MINUTE = 10**12
_MAX_NAME = 100
_USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}\Z")
_MAX_MODEL_NAME = 200
_LAST_YEAR = 9_000  # further is a mistake, and no time zone may carry it past what can be written


def check_batch(keys: int) -> None:
    if keys > MAX_KEYS_PER_BATCH:
        raise _invalid(f"At most {MAX_KEYS_PER_BATCH} keys are looked up at once.", "keys")


def check_user_name(name: str) -> str:
    if not _USER_NAME.match(name):
        raise _invalid(
            "A user's name has 1 to 100 letters, digits or . _ @ + - and begins with a letter or digit.", "name"
        )
    return name


def check_role(role: str) -> str:
    if role not in ROLES:
        raise _invalid(f"A role is one of: {', '.join(ROLES)}.", "role")
    return role


def check_key_name(name: str) -> str:
    if not (1 <= len(name) <= _MAX_NAME and name.isprintable() and name.strip() == name):
        raise _invalid("A key's name has 1 to 100 printable characters, without spaces around them.", "name")
    return name


def check_limits(limits: common_pb2.Limits) -> common_pb2.Limits:
    if limits.tokens_per_minute > MAX_PER_MINUTE:
        raise _invalid(f"At most {MAX_PER_MINUTE} tokens a minute; 0 means no limit.", "limits.tokens_per_minute")
    return limits


def check_models(models: list[str]) -> list[str]:
    if len(models) > MAX_MODELS:
        raise _invalid(f"At most {MAX_MODELS} models; none means all.", "allowed_models")
    for model in models:
        if not (1 <= len(model) <= _MAX_MODEL_NAME and model.isprintable()):
            raise _invalid(f"A model's name has 1 to {_MAX_MODEL_NAME} printable characters.", "allowed_models")
    return sorted(set(models))


def parse_expiry(text: str, now_ms: int) -> int | None:
    """Unix milliseconds; None for never."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year > _LAST_YEAR:
        raise _invalid("expires_at is a time with its zone (RFC 3339), e.g. 2027-01-31T00:00:00Z.", "expires_at")
    expires_at = int(moment.timestamp() * 1000)
    if expires_at <= now_ms:
        raise _invalid("expires_at is in the past.", "expires_at")
    return expires_at


def rfc3339(milliseconds: int | None) -> str:
    """The time in UTC; empty for None."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _invalid(message: str, param: str) -> PlatformError:
    return PlatformError(Code.INVALID_REQUEST, message, param=param)
