"""How commands print: a table for people, JSON for programs, errors to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

UNBOUNDED = 100_000
"""Columns of an output that is not a terminal."""

Row = Mapping[str, Any]


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def print_rows(rows: Sequence[Row], columns: Sequence[str], output: Format, *, empty: str) -> None:
    """Prints ``columns`` of the rows as a table, or the whole rows as a JSON list."""
    if output is Format.JSON:
        print_json(rows)
    elif not rows:
        print(empty)
    else:
        _print_table(rows, columns)


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def fail(message: str, hint: str = "") -> typer.Exit:
    """Says what went wrong on standard error; raise what it returns to exit 1."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    return typer.Exit(1)


def dollars(nano: int) -> str:
    """Nano-dollars as dollars, exactly."""
    sign, nano = ("-" if nano < 0 else ""), abs(nano)
    whole, fraction = divmod(nano, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole}.{digits}"


def _print_table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        numeric = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    # A pipe has no width: a row is a line there.
    Console(width=None if sys.stdout.isatty() else UNBOUNDED).print(table)


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "-" if value is None or not text else text
