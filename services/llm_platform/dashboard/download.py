"""Answers that a browser saves: tables and lines of any length, written as they are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from aiohttp import web

from llm_platform.core.spreadsheet import spreadsheet_cell

CSV = "text/csv; charset=utf-8"


async def begun(request: web.Request, name: str, content_type: str) -> web.StreamResponse:
    """Its headers are out: what fails from now on breaks it off."""
    response = web.StreamResponse(
        headers={
            "content-type": content_type,
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        }
    )
    await response.prepare(request)
    return response


def table(rows: Iterable[Iterable[object]]) -> bytes:
    """Lines of CSV, in which no text is a formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(map(spreadsheet_cell, row) for row in rows)
    return text.getvalue().encode()
