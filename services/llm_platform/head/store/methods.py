"""Revisions as people ask for them and make them. Each change makes a new one, or changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from llm_platform.core.actor import actor
from llm_platform.core.config import Config
from llm_platform.core.config.document import ConfigError
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.core.routing_document import applied, of_config
from llm_platform.core.timestamps import Timestamps
from llm_platform.head.store.database import RuleStore
from llm_platform.head.store.differences import differences
from llm_platform.head.store.in_force import RulesInForce
from llm_platform.head.store.replicas import Replicas, rules_of
from llm_platform.head.store.revisions import Revision, revision
from llm_platform.proto import common_pb2, routing_pb2
from llm_platform.proto.rules_pb2 import RoutingDocument

LARGEST_PAGE = 100
LONGEST_NOTE = 1_000
FILE = ("configuration file", "configuration file")
"""Who made the first revision: id and name."""

_timestamp = Timestamps()
log = get_logger("head.rules")


class RuleMethods:
    """The part of ``Routing`` that is about the rules themselves."""

    def __init__(
        self,
        config: Config,
        store: RuleStore,
        in_force: RulesInForce,
        replicas: Replicas,
        reread: Callable[[], Config] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``reread`` gives the configuration as it is now; it raises ``ConfigError``."""
        self._config = config
        self._store = store
        self._in_force = in_force
        self._replicas = replicas
        self._reread = reread or (lambda: config)
        self._clock = clock

    async def rules(self, _request: common_pb2.Empty) -> routing_pb2.RoutingRevision:
        """What is in force here, also while the store is away."""
        current = self._in_force.revision
        if current is None:
            reply = routing_pb2.RoutingRevision(etag="0", source="file", document=of_config(self._config))
        else:
            reply = _told(current)
            reply.file_differs = await self._file_differs()
        reply.replicas.extend(self._replicas.listed(current))
        return reply

    async def tell_of_file(self) -> None:
        """Says in the log that the file's two sections have changed and are not in force."""
        current = self._in_force.revision
        if current is not None and await self._file_differs():
            log.warning("the configuration file's providers and routing are not in force", revision=current.number)

    async def put_rules(self, request: routing_pb2.PutRulesRequest) -> routing_pb2.RoutingRevision:
        """Raises INVALID_REQUEST (param: the field), CONFLICT (param etag), UNAVAILABLE."""
        if not request.HasField("document"):
            raise PlatformError(Code.INVALID_REQUEST, "The rules are missing: document.", param="document")
        return await self._make(request.document, request.etag, request.note, "api")

    async def restore_revision(self, request: routing_pb2.RestoreRevisionRequest) -> routing_pb2.RoutingRevision:
        """Raises NOT_FOUND, and like ``put_rules``."""
        earlier = await self._store.revisions.get(request.number)
        return await self._make(earlier.document, request.etag, request.note, "restore", restored=earlier.number)

    async def import_rules(self, request: routing_pb2.ImportRulesRequest) -> routing_pb2.RoutingRevision:
        """Raises INVALID_REQUEST for a file that is refused, and like ``put_rules``."""
        try:
            config = await asyncio.to_thread(self._reread)
        except ConfigError as error:
            raise PlatformError(Code.INVALID_REQUEST, f"The configuration is refused: {error}") from None
        return await self._make(of_config(config), request.etag, request.note, "file")

    async def list_revisions(self, request: routing_pb2.ListRevisionsRequest) -> routing_pb2.RevisionList:
        size = request.page_size or LARGEST_PAGE
        if size > LARGEST_PAGE:
            raise PlatformError(Code.INVALID_REQUEST, f"A page has at most {LARGEST_PAGE} items.", param="page_size")
        found = await self._store.revisions.up_to(_first(request.page_token), size + 1)
        items = [
            _told(each, found[at + 1] if at + 1 < len(found) else None, whole=False)
            for at, each in enumerate(found[:size])
        ]
        token = str(found[size].number) if len(found) > size else ""
        return routing_pb2.RevisionList(items=items, next_page_token=token)

    async def get_revision(self, request: routing_pb2.GetRevisionRequest) -> routing_pb2.RoutingRevision:
        """Raises NOT_FOUND."""
        found = await self._store.revisions.up_to(request.number, 2)
        if not found or found[0].number != request.number:
            raise PlatformError(Code.NOT_FOUND, f"There is no revision {request.number}.", param="number")
        return _told(*found)

    async def _make(
        self, document: RoutingDocument, etag: str, note: str, source: str, *, restored: int | None = None
    ) -> routing_pb2.RoutingRevision:
        number = _number_of(etag)
        if len(note) > LONGEST_NOTE or "\0" in note:
            raise PlatformError(Code.INVALID_REQUEST, f"A note has at most {LONGEST_NOTE} characters.", param="note")
        document = of_config(applied(document, self._config))  # every field present
        before, missing = await self._before(number)
        who = actor.get()
        made = revision(
            before.number + 1,
            document,
            created_at=self._now(),
            actor=(who.id, who.name),
            note=note,
            source=source,
            restored=restored,
        )
        if source == "api" and made.digest == before.digest:
            return await self.rules(common_pb2.Empty())  # nothing would change
        await self._store.revisions.add([before, made] if missing else [made])
        await self._in_force.take(made)
        return _told(made, before)

    async def _before(self, number: int) -> tuple[Revision, bool]:
        """The revision that is changed, and whether it is yet to be stored: what the file says, as revision 1, or what
        is still in force although the database was made anew."""
        newest = await self._store.revisions.newest()
        current = newest or self._in_force.revision
        if number != rules_of(current)[0]:
            raise PlatformError(
                Code.CONFLICT,
                "Someone else changed the rules meanwhile. Read them again, then change them.",
                param="etag",
            )
        if current is not None:
            return current, newest is None
        return revision(1, of_config(self._config), created_at=self._now(), actor=FILE, note="", source="file"), True

    def _now(self) -> int:
        return int(self._clock() * 1000)

    async def _file_differs(self) -> bool:
        """Whether the file would change something that was not in it when it was taken last."""
        try:
            config = await asyncio.to_thread(self._reread)
            taken = await self._store.revisions.newest_of_file()
        except (ConfigError, PlatformError):
            return False
        return taken is not None and bool(differences(taken.document, of_config(config)))


def _told(each: Revision, before: Revision | None = None, *, whole: bool = True) -> routing_pb2.RoutingRevision:
    return routing_pb2.RoutingRevision(
        number=each.number,
        etag=str(each.number),
        source=each.source,
        created_at=_timestamp(each.created_at / 1000),
        actor=each.actor_name,
        note=each.note,
        restored=each.restored or 0,
        document=each.document if whole else None,
        changes=differences(before.document, each.document) if before is not None else [],
    )


def _number_of(etag: str) -> int:
    if not etag.isdecimal() or len(etag) > 9:
        raise PlatformError(
            Code.INVALID_REQUEST, "A change needs the etag of the rules it is based on: read them first.", param="etag"
        )
    return int(etag)


def _first(token: str) -> int | None:
    if not token:
        return None
    if not token.isdecimal() or len(token) > 9:
        raise PlatformError(Code.INVALID_REQUEST, "page_token is not one of this list's.", param="page_token")
    return int(token)
