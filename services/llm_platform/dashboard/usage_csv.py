"""``GET /api/usage.csv``: the report as a table for spreadsheets, page by page, without holding all of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from aiohttp import web

from llm_platform.billing.interfaces import LEDGER
from llm_platform.dashboard import download, transcoding
from llm_platform.dashboard.api import Api, Ports
from llm_platform.dashboard.common import USAGE
from llm_platform.proto import common_pb2, ledger_pb2
from llm_platform.rpc.on_behalf import on_behalf_of

PATH = "/api/usage.csv"
_GROUPS = ("day", "organization_id", "team_id", "user_id", "key_id", "provider", "model")
_TOKENS = tuple(field.name for field in common_pb2.Usage.DESCRIPTOR.fields)
_HEADER = (*_GROUPS, "requests", *_TOKENS, "cost_usd", "adjusted_usd")


class UsageCsv:
    def __init__(self, api: Api, ports: Ports) -> None:
        self._api = api
        self._ledger = ports(LEDGER)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        person = await self._api.admit(request)
        query: Any = transcoding.read(USAGE, {}, request.query.items(), b"", None)
        with on_behalf_of(person.actor.token):
            page = await self._ledger.usage(query)
            response = await download.begun(request, "usage.csv", download.CSV)
            await response.write(download.table([_HEADER]))
            while True:
                await response.write(download.table(map(_row, page.rows)))
                if not page.cursor:
                    break
                query.cursor = page.cursor
                page = await self._ledger.usage(query)
        await response.write_eof()
        return response


def _row(row: ledger_pb2.UsageRow) -> Sequence[object]:
    groups = [getattr(row, name) for name in _GROUPS]
    tokens = [getattr(row.usage, name) for name in _TOKENS]
    return (*groups, row.requests, *tokens, _dollars(row.cost), _dollars(row.adjusted))


def _dollars(nano: int) -> Decimal:
    return Decimal(nano).scaleb(-9)
