"""What the commands for keys, users, teams and organisations share: options of limits, long lists, how they print."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm_platform.cli.output import Format, print_json, print_rows

if TYPE_CHECKING:
    from llm_platform.proto import common_pb2

MOST = 2**32 - 1
"""What a message holds of any limit."""

Rpm = Annotated[int | None, typer.Option(min=0, max=MOST, help="Requests a minute, 0: no limit of its own.")]
Tpm = Annotated[int | None, typer.Option(min=0, max=MOST, help="Tokens a minute, 0: no limit of its own.")]
Concurrency = Annotated[int | None, typer.Option(min=0, max=MOST, help="Requests at once, 0: no limit of its own.")]
RpmBurst = Annotated[int | None, typer.Option(min=0, max=MOST, help="Requests that may come at once, 0: a minute's.")]
TpmBurst = Annotated[int | None, typer.Option(min=0, max=MOST, help="Tokens that may come at once, 0: a minute's.")]
Etag = Annotated[str, typer.Option(help="Only if it is still what was shown with this etag. Default: as it is now.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_SHOWN = (
    ("requests_per_minute", "requests/min"),
    ("tokens_per_minute", "tokens/min"),
    ("concurrency", "at once"),
    ("requests_burst", "requests in a burst"),
    ("tokens_burst", "tokens in a burst"),
)


async def every_page(call: Callable[[Any], Awaitable[Any]], request: Any) -> list[Any]:
    """The items of all pages."""
    items: list[Any] = []
    while True:
        page = await call(request)
        items += page.items
        if not page.next_page_token:
            return items
        request.page_token = page.next_page_token


def limits(now: common_pb2.Limits | None, *given_in_order: int | None) -> common_pb2.Limits | None:
    """The limits ``now``, changed in what is given, in the order of the options; None when nothing is."""
    from llm_platform.proto import common_pb2

    names = [name for name, _ in _SHOWN]
    given = {name: value for name, value in zip(names, given_in_order, strict=True) if value is not None}
    if not given:
        return None
    changed = common_pb2.Limits()
    if now is not None:
        changed.CopyFrom(now)
    for name, value in given.items():
        setattr(changed, name, value)
    return changed


def limits_row(limits: common_pb2.Limits) -> dict[str, int]:
    return {name: getattr(limits, name) for name, _ in _SHOWN}


def with_limits_told(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its limits in words, for a table."""
    return {**row, "limits": ", ".join(f"{row[name]} {unit}" for name, unit in _SHOWN if row[name])}


class Shown:
    """How the accounts of one kind are printed: ``row`` gives all there is, ``columns`` what a table has of it."""

    def __init__(self, row: Callable[[Any], dict[str, Any]], columns: Sequence[str], empty: str) -> None:
        self._row = row
        self._columns = columns
        self._empty = empty

    def rows(self, found: Sequence[Any], output: Format) -> None:
        rows = [self._row(each) for each in found]
        if output is Format.TABLE:
            rows = [with_limits_told(row) for row in rows]
        print_rows(rows, self._columns, output, empty=self._empty)

    def one(self, account: Any, output: Format) -> None:
        if output is Format.JSON:
            print_json(self._row(account))
        else:
            self.rows([account], output)

    def done(self, account: Any, output: Format, what: str) -> None:
        """Says what was done to it; the first column is its id."""
        row = self._row(account)
        if output is Format.JSON:
            print_json(row)
        else:
            print(f"{row['name']} ({row[self._columns[0]]}) {what}.")


def confirm(question: str, yes: bool) -> None:
    """Asks, unless told not to; ends the command when the answer is no."""
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)
