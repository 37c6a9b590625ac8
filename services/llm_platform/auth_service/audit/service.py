"""The audit log: what other services tell, and what may be read of it (docs/audit.md)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from llm_platform.auth_service import permissions
from llm_platform.auth_service.audit.entry import RESULTS, Draft
from llm_platform.auth_service.audit.store import AuditStore, Filter
from llm_platform.auth_service.requests import rfc3339
from llm_platform.core.actor import Actor, actor
from llm_platform.core.database_failures import unavailable
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.proto import audit_pb2, common_pb2
from llm_platform.rpc.caller import caller

MAX_BATCH = 200
MAX_PAGE = 1_000
PAGE = 100
MAX_AHEAD_MS = 60_000
"""How far the clock of whoever records may be ahead of ours."""

T = TypeVar("T")


class AuditService:
    """The real Audit. Failures of its database are UNAVAILABLE."""

    def __init__(self, store: AuditStore, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    async def write(self, *drafts: Draft) -> None:
        """Entries of auth-service itself that belong to no other transaction."""
        await _answered(self._store.append(self._now_ms(), drafts))

    async def record(self, request: audit_pb2.AuditBatch) -> common_pb2.Empty:
        """Entries of other services; those that are there already are left as they are. Raises INVALID_REQUEST."""
        if len(request.items) > MAX_BATCH:
            raise _invalid(f"At most {MAX_BATCH} entries at once.", "items")
        now_ms = self._now_ms()
        drafts = [_draft(item, now_ms) for item in request.items]
        await _answered(self._store.append(now_ms, drafts))
        return common_pb2.Empty()

    async def list(self, request: audit_pb2.ListAuditRequest) -> audit_pb2.AuditEntries:
        """A page of the entries that whoever asks may see. Raises INVALID_REQUEST, PERMISSION_DENIED."""
        most = min(request.page_size or PAGE, MAX_PAGE)
        wanted = _filter(request, actor.get())
        after = _number(request.page_token, "page_token") if request.page_token else None
        rows = await _answered(self._store.page(wanted, after, most + 1, request.newest_first))
        more = str(rows[most - 1]["number"]) if len(rows) > most else ""
        return audit_pb2.AuditEntries(items=[_shown(row) for row in rows[:most]], next_page_token=more)

    async def verify(self, request: audit_pb2.VerifyAuditRequest) -> audit_pb2.AuditVerification:
        """Checks the next stretch of the chain."""
        if request.after < 0:
            raise _invalid("after is the number of an entry.", "after")
        checked = await _answered(self._store.check_chain(request.after, request.hash))
        return audit_pb2.AuditVerification(
            checked_to=checked.to, hash=checked.hash, end=checked.end, broken=checked.broken, reason=checked.reason
        )

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _filter(request: audit_pb2.ListAuditRequest, who: Actor) -> Filter:
    if request.result and request.result not in RESULTS:
        raise _invalid(f"A result is one of: {', '.join(RESULTS)}.", "result")
    for name in ("organization", "actor", "action", "target"):
        if "\0" in getattr(request, name):
            raise _invalid("No text holds a NUL character.", name)
    organization = request.organization
    if (only := permissions.scope(who)) is not None:
        if organization not in ("", only) or not only:
            raise PlatformError(Code.PERMISSION_DENIED, "That is another organisation.", param="organization")
        organization = only
    return Filter(
        organization,
        request.actor,
        request.action,
        request.target,
        request.result,
        _moment(request.since, "since"),
        _moment(request.until, "until"),
    )


def _draft(item: audit_pb2.AuditEntry, now_ms: int) -> Draft:
    if not item.action or item.result not in RESULTS or item.repeated >= 2**63:
        raise _invalid(f"An entry has an action, and a result: {', '.join(RESULTS)}.", "items")
    at = _moment(item.at, "items.at")
    try:
        details = msgspec.json.decode(item.details or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise _invalid("details is a JSON object.", "items.details") from None
    return Draft(
        action=item.action,
        target=item.target,
        organization_id=item.organization_id,
        result=item.result,
        reason=item.reason,
        details=details,
        who=_writer(item),
        source=item.source,
        request_id=item.request_id,
        entry_id=item.entry_id or new_id("aud"),
        repeated=max(item.repeated, 1),
        service=caller.get(),
        at=at if at is not None and at <= now_ms + MAX_AHEAD_MS else now_ms,
    )


def _writer(item: audit_pb2.AuditEntry) -> Actor:
    kind: Any = item.actor_kind  # as its writer knows it; a later release may know more kinds
    return Actor(item.actor_id, item.actor_name, kind, item.actor_role, item.organization_id, platform=False)


def _shown(row: dict[str, Any]) -> audit_pb2.AuditEntry:
    return audit_pb2.AuditEntry(**(row | {"at": rfc3339(row["at"])}))


def _moment(text: str, param: str) -> int | None:
    """Unix milliseconds of an RFC 3339 time."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _invalid("A time is written with its zone (RFC 3339), e.g. 2027-01-31T00:00:00Z.", param)
    try:
        return int(moment.timestamp() * 1000)
    except (OverflowError, ValueError):
        raise _invalid("That time is out of range.", param) from None


def _number(text: str, param: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise _invalid("It is not of an answer of this method.", param)
    return int(text)


def _invalid(message: str, param: str) -> PlatformError:
    return PlatformError(Code.INVALID_REQUEST, message, param=param)


async def _answered(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except SQLAlchemyError as error:
        raise unavailable(error, "The audit log's database") from None
