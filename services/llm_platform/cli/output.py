"""How commands print: a table for people, JSON for programs, errors to standard error."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from textwrap import indent
from typing import Annotated, Any

import typer

from llm_platform.core.spreadsheet import spreadsheet_cell

UNBOUNDED = 100_000
"""Columns of an output that is not a terminal."""
Row = Mapping[str, Any]


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


class ReportFormat(StrEnum):
    """Of what may be long: JSON and CSV are written as they are read."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def print_rows(rows: Sequence[Row], columns: Sequence[str], output: Format, *, empty: str) -> None:
    """Prints ``columns`` of the rows as a table, or the whole rows as a JSON list."""
    if output is Format.JSON:
        print_json(rows)
    elif not rows:
        print(empty)
    else:
        _print_table(rows, columns)


class Printer:
    """Prints the rows of a report page by page; a table, which has to know its widths, at the end."""

    def __init__(self, columns: Sequence[str], output: ReportFormat, *, empty: str) -> None:
        self._columns = columns
        self._output = output
        self._empty = empty
        self._rows: list[Row] = []
        self._printed = 0
        if output is ReportFormat.CSV:
            csv.writer(sys.stdout).writerow(columns)

    def add(self, rows: Sequence[Row]) -> None:
        if self._output is ReportFormat.TABLE:
            self._rows += rows
        elif self._output is ReportFormat.CSV:
            writer = csv.writer(sys.stdout)
            writer.writerows([spreadsheet_cell(row.get(name)) for name in self._columns] for row in rows)
        else:
            for row in rows:
                print("[" if not self._printed else ",")
                print(indent(json.dumps(row, indent=2, ensure_ascii=False), "  "), end="")
                self._printed += 1

    def end(self) -> None:
        if self._output is ReportFormat.JSON:
            print("\n]" if self._printed else "[]")
        elif self._output is ReportFormat.TABLE:
            print_rows(self._rows, self._columns, Format.TABLE, empty=self._empty)


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def fail(message: str, hint: str = "") -> typer.Exit:
    """Says what went wrong on standard error; raise what it returns to exit 1."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(hint, file=sys.stderr)
    return typer.Exit(1)


def dollars(nano: int, currency: str = "$") -> str:
    """Nano-dollars as dollars, exactly."""
    sign, nano = ("-" if nano < 0 else ""), abs(nano)
    whole, fraction = divmod(nano, 1_000_000_000)
    digits = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{sign}{currency}{whole}.{digits}"


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
    width = None if sys.stdout.isatty() else UNBOUNDED
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _cell(value: object) -> str:
    """Names come from users: what would steer the terminal is shown as a mark."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    if not text.isprintable():
        text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    return "-" if value is None or not text else text
