"""``GET /api/audit.jsonl`` and ``/api/audit.csv``: the audit log as a file, page by page, without holding all of it.

It takes the filters of the list, and is for who may see that. Lines have every field of an entry as it is kept, so that
``docs/audit.md`` says how to check the chain without this platform; in a table texts may be quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from llm_platform.auth_service.audit.interfaces import AUDIT
from llm_platform.dashboard import download, transcoding
from llm_platform.dashboard.api import Api, Ports
from llm_platform.dashboard.common import AUDIT_LIST
from llm_platform.proto import audit_pb2
from llm_platform.rpc.on_behalf import on_behalf_of

LINES = "/api/audit.jsonl"
TABLE = "/api/audit.csv"
PAGE = 1_000
_FIELDS = tuple(field.name for field in audit_pb2.AuditEntry.DESCRIPTOR.fields)

Entries = Iterable[audit_pb2.AuditEntry]


class AuditExport:
    def __init__(self, api: Api, ports: Ports) -> None:
        self._api = api
        self._audit = ports(AUDIT)

    def routes(self) -> list[web.RouteDef]:
        return [web.get(LINES, self._lines), web.get(TABLE, self._table)]

    async def _lines(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "audit.jsonl", "application/jsonl", b"", _lines)

    async def _table(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "audit.csv", download.CSV, download.table([_FIELDS]), _rows)

    async def _serve(
        self, request: web.Request, name: str, content_type: str, head: bytes, written: Callable[[Entries], bytes]
    ) -> web.StreamResponse:
        person = await self._api.admit(request)
        query: Any = transcoding.read(AUDIT_LIST, {}, request.query.items(), b"", None)
        query.page_size = PAGE
        with on_behalf_of(person.actor.token):
            page = await self._audit.list(query)
            response = await download.begun(request, name, content_type)
            await response.write(head)
            while True:
                await response.write(written(page.items))
                if not page.next_page_token:
                    break
                query.page_token = page.next_page_token
                page = await self._audit.list(query)
        await response.write_eof()
        return response


def _lines(entries: Entries) -> bytes:
    return b"".join(transcoding.encoded(transcoding.written(entry)) + b"\n" for entry in entries)


def _rows(entries: Entries) -> bytes:
    return download.table([getattr(entry, name) for name in _FIELDS] for entry in entries)
