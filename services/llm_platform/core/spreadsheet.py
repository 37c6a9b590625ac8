"""Cells of tables that are opened in spreadsheets."""

from __future__ import annotations

from decimal import Decimal

_FORMULA = frozenset(
    "=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
"""What a cell begins with that a spreadsheet computes, some also in full width."""


def spreadsheet_cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula becomes one for it as well (OWASP: CSV injection)."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value
