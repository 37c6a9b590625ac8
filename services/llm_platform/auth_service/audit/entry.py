"""An entry of the audit log, and how entries are chained.

The hash of an entry is SHA-256 over its canonical JSON: every column but the hash itself, keys sorted, no spaces,
UTF-8. It includes the hash of the entry before, so an entry that is changed, added or left out in between breaks the
chain at its place.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from llm_platform.core.actor import Actor
from llm_platform.core.actor import actor as acting
from llm_platform.core.ids import new_id

Result = Literal["ok", "refused", "failed"]
RESULTS: tuple[Result, ...] = ("ok", "refused", "failed")

FIRST_PREVIOUS = "0" * 64

_BOUNDS = {
    "entry_id": 64,
    "service": 64,
    "actor_id": 100,
    "actor_name": 200,
    "actor_kind": 20,
    "actor_role": 20,
    "organization_id": 64,
    "action": 100,
    "target": 300,
    "reason": 500,
    "request_id": 100,
    "source": 100,
}
_MAX_DETAILS = 8_000


class Draft(NamedTuple):
    """What is to be written. Nothing of it may be a secret."""

    action: str
    """The RPC, e.g. ``Accounts/CreateKey``."""
    target: str = ""
    organization_id: str = ""
    """Whose data it is; empty: the actor's organisation."""
    result: Result = "ok"
    reason: str = ""
    details: Mapping[str, Any] = {}
    """What changed; kept as JSON."""
    who: Actor | None = None
    """None: whoever acts now (``core/actor.py``)."""
    source: str = ""
    request_id: str = ""
    entry_id: str = ""
    """Empty: a new one."""
    repeated: int = 1
    service: str = "auth-service"
    at: int = 0
    """Unix milliseconds; 0: now."""


NOBODY = Actor("", "", "none", "", "", platform=False)  # type: ignore[arg-type]
"""Whoever asked has not proved who it is."""


def target_of(request: Any, field: str) -> str:
    """What a call is about: a field of its request, also one of a part's (``budget.scope_id``); empty: nothing."""
    if not field:
        return ""
    for name in field.split("."):
        request = getattr(request, name)
    return str(request)


def columns(draft: Draft, number: int, now_ms: int, previous: str) -> dict[str, Any]:
    """The row of ``draft`` as entry ``number`` after the one whose hash is ``previous``."""
    who = draft.who or acting.get()
    row: dict[str, Any] = {
        "entry_id": draft.entry_id or new_id("aud"),
        "service": draft.service,
        "actor_id": who.id,
        "actor_name": who.name,
        "actor_kind": who.kind,
        "actor_role": who.role,
        "organization_id": draft.organization_id or who.organization_id,
        "action": draft.action,
        "target": draft.target,
        "reason": draft.reason,
        "request_id": draft.request_id,
        "source": draft.source,
    }
    row = {name: _bounded(text, _BOUNDS[name]) for name, text in row.items()} | {
        "number": number,
        "at": draft.at or now_ms,
        "result": draft.result,
        "details": _json(draft.details),
        "repeated": draft.repeated,
        "previous": previous,
    }
    return row | {"hash": hash_of(row)}


def hash_of(row: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the row's canonical JSON, without its own ``hash``."""
    content = {name: value for name, value in row.items() if name != "hash"}
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def _json(details: Mapping[str, Any]) -> str:
    text = msgspec.json.encode(details, order="sorted").decode()
    if len(text) > _MAX_DETAILS:
        text = msgspec.json.encode({"left_out": f"{len(text)} characters"}).decode()
    return text


def _bounded(text: str, most: int) -> str:
    """As every database can hold it, on one line and in the order it is written for whoever reads an export."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _misleads(each) else each for each in text[:most])


def _misleads(character: str) -> bool:
    """Control characters, line ends, lone surrogates, and what turns the direction of text (CVE-2021-42574)."""
    return (
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or "\u202a" <= character <= "\u202e"
        or "\u2066" <= character <= "\u2069"
    )
