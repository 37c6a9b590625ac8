"""What the platform notes in Vault about a secret: the ``custom_metadata`` of its path.

Labels stand there as they are, beside our own under ``llm.``. Vault keeps 64 keys with values of up to 512 bytes, so of
the versions' authors and ends the oldest are left out when they no longer fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from llm_platform.secrets_service.info import RESERVED, Change, Info, VersionInfo

_DESCRIPTION = f"{RESERVED}description"
_EXPIRES_AT = f"{RESERVED}expires_at"
_CREATED_BY = f"{RESERVED}created_by"
_UPDATED_BY = f"{RESERVED}updated_by"
_AUTHORS = f"{RESERVED}authors"
_VALID_UNTIL = f"{RESERVED}valid_until"

_MAX_VALUE_BYTES = 512
_MAX_AUTHOR_LENGTH = 64

Custom = dict[str, str]


def info_of(metadata: Mapping[str, Any], now: int) -> Info:
    """From the answer of ``metadata/PATH``; ``now`` in Unix milliseconds."""
    custom = custom_of(metadata)
    last = int(metadata["current_version"])
    authors, ends = numbers_in(custom, _AUTHORS, str), valid_until(custom)
    versions = {}
    for number, each in sorted((int(text), each) for text, each in metadata["versions"].items()):
        if each["destroyed"]:
            continue
        deleted_at = milliseconds(each["deletion_time"]) if each["deletion_time"] else 0
        end = ends.get(number, 0)
        deleted = 0 < deleted_at <= now
        versions[number] = VersionInfo(
            created_at=milliseconds(each["created_time"]),
            created_by=authors.get(number, ""),
            disabled=deleted or (number != last and 0 < end <= now),
            valid_until=end,
            deleted=deleted,
        )
    return Info(
        last=last,
        updated_at=milliseconds(metadata["updated_time"]),
        versions=versions,
        created_at=milliseconds(metadata["created_time"]),
        created_by=custom.get(_CREATED_BY, ""),
        updated_by=custom.get(_UPDATED_BY, ""),
        description=custom.get(_DESCRIPTION, ""),
        labels={name: value for name, value in custom.items() if not name.startswith(RESERVED)},
        expires_at=int(custom[_EXPIRES_AT]) if custom.get(_EXPIRES_AT, "").isdecimal() else 0,
    )


def custom_of(metadata: Mapping[str, Any]) -> Custom:
    return dict(metadata.get("custom_metadata") or {})


def valid_until(custom: Custom) -> dict[int, int]:
    """Replaced versions -> until when they are valid (Unix milliseconds)."""
    return numbers_in(custom, _VALID_UNTIL, int)


def described(custom: Custom, change: Change, by: str) -> Custom:
    """Raises INVALID_REQUEST."""
    ours = {name: value for name, value in custom.items() if name.startswith(RESERVED)}
    labels = {name: value for name, value in custom.items() if not name.startswith(RESERVED)}
    if change.description is not None:
        ours[_DESCRIPTION] = change.description
    if change.expires_at is not None:
        ours[_EXPIRES_AT] = str(change.expires_at) if change.expires_at else ""
    return {name: value for name, value in ours.items() if value} | change.labels_after(labels) | updated(by)


def authored(custom: Custom, version: int, by: str) -> Custom:
    """A version was written by somebody."""
    if not by:
        return custom
    authors = numbers_in(custom, _AUTHORS, str) | {version: by[:_MAX_AUTHOR_LENGTH]}
    first = {} if _CREATED_BY in custom or version > 1 else {_CREATED_BY: by[:_MAX_AUTHOR_LENGTH]}
    return custom | first | {_AUTHORS: _fitting(authors)} | updated(by)


def ending(custom: Custom, versions: list[int], at: int) -> Custom:
    """The versions are valid until then, unless they end earlier already."""
    known = valid_until(custom)
    ends = known | {each: min(known[each], at) if known.get(each) else at for each in versions}
    return custom | {_VALID_UNTIL: _fitting(ends)}


def endless(custom: Custom, versions: list[int]) -> Custom:
    """The versions have no end any more."""
    ends = {each: end for each, end in valid_until(custom).items() if each not in versions}
    without = {name: value for name, value in custom.items() if name != _VALID_UNTIL}
    return without | ({_VALID_UNTIL: _fitting(ends)} if ends else {})


def updated(by: str) -> Custom:
    return {_UPDATED_BY: by[:_MAX_AUTHOR_LENGTH]} if by else {}


def milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)


def numbers_in(custom: Custom, name: str, kind: type[Any]) -> dict[int, Any]:
    """What others wrote there is as if it were not there."""
    try:
        return msgspec.json.decode(custom.get(name) or "{}", type=dict[int, kind])  # type: ignore[valid-type]
    except msgspec.MsgspecError:
        return {}


def _fitting(by_version: Mapping[int, Any]) -> str:
    kept = dict(sorted(by_version.items()))
    while len(text := msgspec.json.encode(kept)) > _MAX_VALUE_BYTES:
        del kept[min(kept)]
    return text.decode()
