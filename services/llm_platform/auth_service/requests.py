"""What may be asked for: every bound on limits, lists and times, checked before the database is touched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import collapse_addresses, ip_network
from typing import Any

from llm_platform.core.actor import ROLES
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2

KINDS = ("user", "service_account")
ENTRIES = ("tail", "gateway")
MAX_KEYS_PER_BATCH = 1_000
MAX_RANGES = 100
MAX_OVERLAP_SECONDS = 90 * 86_400
MAX_MODELS = 200
MAX_PER_MINUTE = 10**12
_MAX_MODEL_NAME = 200
_LAST_YEAR = 9_000  # further is a mistake, and no time zone may carry it past what can be written


def check_batch(keys: int) -> None:
    if keys > MAX_KEYS_PER_BATCH:
        raise _invalid(f"At most {MAX_KEYS_PER_BATCH} keys are looked up at once.", "keys")


def check_role(role: str) -> str:
    if role not in ROLES:
        raise _invalid(f"A role is one of: {', '.join(ROLES)}.", "role")
    return role


def check_kind(kind: str) -> str:
    if kind not in KINDS:
        raise _invalid(f"A kind is one of: {', '.join(KINDS)}.", "kind")
    return kind


def check_limits(limits: common_pb2.Limits) -> common_pb2.Limits:
    for name in ("tokens_per_minute", "tokens_burst"):
        if getattr(limits, name) > MAX_PER_MINUTE:
            raise _invalid(f"At most {MAX_PER_MINUTE} tokens; 0 means no limit.", f"limits.{name}")
    return limits


def check_models(models: Sequence[str]) -> list[str]:
    if len(models) > MAX_MODELS:
        raise _invalid(f"At most {MAX_MODELS} models; none means all.", "allowed_models")
    for model in models:
        if not (1 <= len(model) <= _MAX_MODEL_NAME and model.isprintable()):
            raise _invalid(f"A model's name has 1 to {_MAX_MODEL_NAME} printable characters.", "allowed_models")
    return sorted(set(models))


def check_entries(entries: Sequence[str]) -> list[str]:
    if not set(entries) <= set(ENTRIES):
        raise _invalid(f"An entry is one of: {', '.join(ENTRIES)}; none means all.", "allowed_entries")
    return sorted(set(entries))


def check_ranges(ranges: Sequence[str]) -> list[str]:
    """The ranges as CIDR, without those that lie in others. Raises INVALID_REQUEST."""
    if len(ranges) > MAX_RANGES:
        raise _invalid(f"At most {MAX_RANGES} ranges of addresses; none means any address.", "ip_ranges")
    by_version: dict[int, list[Any]] = {4: [], 6: []}
    for text in ranges:
        try:
            network = ip_network(text)
        except ValueError:
            raise _invalid(
                "A range of addresses is written as in 192.0.2.0/24 or 2001:db8::/32, with no bits after the mask.",
                "ip_ranges",
            ) from None
        by_version[network.version].append(network)
    return [str(network) for networks in by_version.values() for network in collapse_addresses(networks)]


def check_overlap(seconds: int) -> int:
    if seconds > MAX_OVERLAP_SECONDS:
        raise _invalid(f"An overlap lasts at most {MAX_OVERLAP_SECONDS} seconds (90 days).", "overlap_seconds")
    return seconds


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
