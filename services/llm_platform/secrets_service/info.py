"""What is known of a secret without its values: the same for every store. Times are Unix milliseconds, 0: never."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import secrets_pb2

MAX_DESCRIPTION_BYTES = 500
MAX_LABELS = 20
MAX_LABEL_BYTES = 128
RESERVED = "llm."
"""Labels must not begin so: in Vault they share one map with what the platform notes there."""

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}\Z")


class VersionInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version that was not destroyed."""

    created_at: int = 0
    created_by: str = ""
    disabled: bool = False
    valid_until: int = 0
    """A rotation replaced it: it is disabled from then on. Means nothing for the newest."""
    deleted: bool = False
    """In Vault, by its own means; then it is disabled as well."""


class Info(msgspec.Struct, frozen=True):
    """One path. Without versions it is deleted."""

    last: int
    """The newest number that was ever given."""
    updated_at: int
    versions: Mapping[int, VersionInfo]
    created_at: int = 0
    created_by: str = ""
    updated_by: str = ""
    description: str = ""
    labels: Mapping[str, str] = {}
    expires_at: int = 0
    """A reminder; nothing ends then."""

    @property
    def current(self) -> int:
        """The newest version; 0: there is none, or it is disabled. An older one never takes its place."""
        newest = self.versions.get(self.last)
        return self.last if newest is not None and not newest.disabled else 0

    @property
    def enabled(self) -> list[int]:
        return [number for number, each in sorted(self.versions.items()) if not each.disabled]

    def overlapping(self, now: int) -> dict[int, int]:
        """Replaced versions that are still valid -> until when, newest first."""
        return {
            number: each.valid_until
            for number, each in sorted(self.versions.items(), reverse=True)
            if number != self.last and not each.disabled and each.valid_until > now
        }


class Change(msgspec.Struct, frozen=True):
    """What an operator says of a secret; None stays as it is."""

    description: str | None = None
    labels: Mapping[str, str] = {}
    removed_labels: tuple[str, ...] = ()
    expires_at: int | None = None

    def labels_after(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Raises INVALID_REQUEST when they would be too many."""
        after = {name: value for name, value in labels.items() if name not in self.removed_labels} | dict(self.labels)
        if len(after) > MAX_LABELS:
            raise PlatformError(Code.INVALID_REQUEST, f"A secret has at most {MAX_LABELS} labels.", param="labels")
        return after


def change_of(request: secrets_pb2.DescribeSecretRequest) -> Change:
    """Raises INVALID_REQUEST."""
    if len(request.description.encode()) > MAX_DESCRIPTION_BYTES:
        raise PlatformError(
            Code.INVALID_REQUEST, f"A description has at most {MAX_DESCRIPTION_BYTES} bytes.", param="description"
        )
    for name, value in request.labels.items():
        if not _LABEL.match(name) or name.startswith(RESERVED):
            raise PlatformError(
                Code.INVALID_REQUEST,
                "A label's name has 1 to 63 letters, digits and . _ - /, begins with a letter or digit, and not with "
                f"{RESERVED}",
                param="labels",
            )
        if not 1 <= len(value.encode()) <= MAX_LABEL_BYTES:
            raise PlatformError(
                Code.INVALID_REQUEST, f"A label's value has 1 to {MAX_LABEL_BYTES} bytes.", param="labels"
            )
    return Change(
        description=request.description if request.HasField("description") else None,
        labels=dict(request.labels),
        removed_labels=tuple(request.removed_labels),
        expires_at=_expiry(request.expires_at) if request.HasField("expires_at") else None,
    )


def to_proto(path: str, info: Info) -> secrets_pb2.SecretInfo:
    return secrets_pb2.SecretInfo(
        path=path,
        current_version=info.current,
        versions=info.enabled,
        updated_at=time_text(info.updated_at),
        description=info.description,
        labels=info.labels,
        expires_at=time_text(info.expires_at),
        created_at=time_text(info.created_at),
        created_by=info.created_by,
        updated_by=info.updated_by,
        details=[
            secrets_pb2.SecretVersionInfo(
                version=number,
                created_at=time_text(each.created_at),
                created_by=each.created_by,
                enabled=not each.disabled,
                valid_until=time_text(each.valid_until) if number != info.last else "",
            )
            for number, each in sorted(info.versions.items())
        ],
    )


def time_text(milliseconds: int) -> str:
    """RFC 3339; empty for never."""
    if not milliseconds:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _expiry(text: str) -> int:
    if not text:
        return 0
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise PlatformError(
            Code.INVALID_REQUEST, "expires_at must be a date or time like 2027-01-31T12:00:00Z.", param="expires_at"
        ) from None
