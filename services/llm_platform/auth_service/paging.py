"""Long lists in pages: each begins after the last row of the one before, so rows that come or go shift nothing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Select, func, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service.names import LONGEST, fold
from llm_platform.core.errors import Code, PlatformError

LARGEST = 1_000
_LONGEST_TOKEN = 2_000

Row = Mapping[str, Any]


async def page(
    connection: AsyncConnection,
    query: Select[Any],
    order: Sequence[Column[Any]],
    size: int,
    token: str,
    *,
    descending: bool = False,
) -> tuple[list[Row], str]:
    """The rows of one page, and the token of the next (empty at the end). ``order`` tells every two rows apart.

    Raises INVALID_REQUEST.
    """
    if not 0 <= size <= LARGEST:
        raise PlatformError(Code.INVALID_REQUEST, f"A page has at most {LARGEST} items.", param="page_size")
    size = size or LARGEST
    columns = [_by_number_of_characters(column, connection) for column in order]
    if token:
        here, last = tuple_(*columns), tuple_(*_read(token, order))
        query = query.where(here < last if descending else here > last)
    ordered = query.order_by(*(column.desc() if descending else column for column in columns))
    found = (await connection.execute(ordered.limit(size + 1))).mappings().all()
    rows: list[Row] = [dict(row) for row in found[:size]]
    return rows, _write(rows[-1], order) if len(found) > size else ""


def matches(folded: Column[Any], name: Column[Any], search: str) -> ColumnElement[bool]:
    """Whether the name holds the text, whatever its case. Raises INVALID_REQUEST."""
    if len(search) > LONGEST or "\0" in search:
        raise PlatformError(Code.INVALID_REQUEST, f"A search has at most {LONGEST} characters.", param="search")
    return func.coalesce(folded, func.lower(name)).contains(fold(search), autoescape=True)


def _by_number_of_characters(column: Column[Any], connection: AsyncConnection) -> ColumnElement[Any]:
    """SQLite's order; a server's own depends on its language."""
    if connection.dialect.name == "postgresql" and column.type.python_type is str:
        return column.collate("C")
    return column


def _write(row: Row, order: Sequence[Column[Any]]) -> str:
    values = [row[column.name] for column in order]
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode()


def _read(token: str, order: Sequence[Column[Any]]) -> list[Any]:
    try:
        values: list[Any] = msgspec.json.decode(base64.urlsafe_b64decode(token[:_LONGEST_TOKEN]), type=list[Any])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        values = []
    fits = len(values) == len(order) and all(
        type(value) is column.type.python_type and "\0" not in str(value)
        for value, column in zip(values, order, strict=True)
    )
    if not fits:
        raise PlatformError(Code.INVALID_REQUEST, "page_token is not one of this list's.", param="page_token")
    return values
