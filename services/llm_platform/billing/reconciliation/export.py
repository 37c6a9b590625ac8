"""A provider's usage export, read line by line: JSON lines or CSV, also gzipped (docs/usage.md has the format).

Nothing in it is believed: a line that is not what it should be ends the reading, before anything was changed.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, NoReturn

from llm_platform.billing.periods import microseconds
from llm_platform.billing.posting import MAX_AMOUNT, MAX_TOKENS
from llm_platform.billing.records import UsageCounts
from llm_platform.core.errors import Code, PlatformError

LONGEST_LINE = 64 * 1024
_LONGEST_NAME = 512
_LONGEST_NUMBER = 64
_NUMBER = re.compile(r"[-+]?[\d.]{1,40}(E[-+]?\d{1,9})?", re.ASCII | re.IGNORECASE)
_NANO = Decimal(10**9)
_EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)


class Coverage(NamedTuple):
    """What an export says of itself. Times in microseconds since 1970; None: it does not say."""

    provider: str = ""
    since: int | None = None
    until: int | None = None
    complete: bool = False
    """Whether a call of the period that is not in it did not happen for the provider."""


class ExportLine(NamedTuple):
    """One call, as the provider charged it."""

    number: int
    """Of the line in the file, from 1."""
    attempt_id: str
    """Empty: the provider does not echo it."""
    request_id: str
    """The provider's own."""
    at: int
    """Microseconds since 1970; 0: not said."""
    model: str
    usage: UsageCounts
    cost: int | None
    """Nano-dollars; None: not said."""


class ExportFile:
    """``coverage`` is known once the first line was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.coverage = Coverage()
        self._number = 0

    def lines(self) -> Iterator[ExportLine]:
        """Raises INVALID_REQUEST with the number of the line, OSError."""
        with self._opened() as file:
            first = self._next(file)
            if first.lstrip()[:1] == "{":
                yield from self._json_lines(first, file)
            elif first:
                yield from self._csv_lines(first, file)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO | gzip.GzipFile]:
        self._number = 0
        with self._path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                yield raw
                return
            try:
                with gzip.open(raw) as file:
                    yield file
            except (EOFError, gzip.BadGzipFile) as error:
                raise PlatformError(Code.INVALID_REQUEST, f"The export is not whole: {error}.") from None

    def _next(self, file: BinaryIO | gzip.GzipFile) -> str:
        """The next line that is not empty; nothing at the end. A line is bounded before it is read."""
        while line := file.readline(LONGEST_LINE + 1):
            self._number += 1
            if len(line) > LONGEST_LINE:
                self._refuse(f"it is longer than {LONGEST_LINE} bytes")
            try:
                text = line.decode("utf-8-sig" if self._number == 1 else "utf-8")
            except UnicodeDecodeError:
                self._refuse("it is not UTF-8")
            if text.strip():
                return text
        return ""

    def _json_lines(self, first: str, file: BinaryIO | gzip.GzipFile) -> Iterator[ExportLine]:
        fields = self._object(first)
        if "export" in fields:
            self.coverage = self._coverage(fields["export"])
        else:
            yield self._line(fields)
        while text := self._next(file):
            yield self._line(self._object(text))

    def _object(self, text: str) -> dict[str, Any]:
        def refuse(name: str) -> NoReturn:
            self._refuse(f"{name} is not a number")

        try:
            fields = json.loads(text, parse_float=Decimal, parse_constant=refuse)
        except (ValueError, RecursionError):
            self._refuse("it is not JSON")
        if not isinstance(fields, dict):
            self._refuse("it is not a JSON object")
        return fields

    def _csv_lines(self, first: str, file: BinaryIO | gzip.GzipFile) -> Iterator[ExportLine]:
        try:
            rows = csv.reader(_chain(first, lambda: self._next(file)), strict=True)
            names = [name.strip() for name in next(rows)]
            if not {"attempt_id", "request_id"} & set(names) or len(set(names)) != len(names):
                self._refuse("it must be JSON, or name each column once, attempt_id or request_id among them")
            for row in rows:
                if len(row) != len(names):
                    self._refuse(f"it has {len(row)} values for {len(names)} columns")
                yield self._line({name: value for name, value in zip(names, row, strict=True) if value != ""})
        except csv.Error as error:
            self._refuse(f"it is not CSV: {error}")

    def _coverage(self, said: object) -> Coverage:
        if not isinstance(said, dict):
            self._refuse("export must be an object")
        if not isinstance(said.get("complete", False), bool):
            self._refuse("complete must be true or false")
        return Coverage(
            self._text(said, "provider"),
            self._time(said, "since"),
            self._time(said, "until"),
            said.get("complete", False),
        )

    def _line(self, fields: Mapping[str, Any]) -> ExportLine:
        attempt_id, request_id = self._text(fields, "attempt_id"), self._text(fields, "request_id")
        if not attempt_id and not request_id:
            self._refuse("it has neither an attempt_id nor a request_id")
        usage = UsageCounts(*(self._tokens(fields, name) for name in UsageCounts._fields))
        cost = self._cost(fields["cost"]) if fields.get("cost") is not None else None
        if cost is None and not any(usage):
            self._refuse("it has neither tokens nor a cost")
        return ExportLine(
            self._number,
            attempt_id,
            request_id,
            self._time(fields, "time") or 0,
            self._text(fields, "model"),
            usage,
            cost,
        )

    def _text(self, fields: Mapping[str, Any], name: str) -> str:
        value = fields.get(name)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
            self._refuse(f"{name} must be a text of at most {_LONGEST_NAME} printable characters")
        return value

    def _time(self, fields: Mapping[str, Any], name: str) -> int | None:
        value = self._text(fields, name)
        try:
            return microseconds(name, value) if value else None
        except PlatformError as error:
            self._refuse(error.message)

    def _tokens(self, fields: Mapping[str, Any], name: str) -> int:
        value = fields.get(name, 0)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _LONGEST_NUMBER:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
            self._refuse(f"{name} must be a whole number between 0 and {MAX_TOKENS}")
        return value

    def _cost(self, value: object) -> int:
        """Dollars to nano-dollars, rounded half to even."""
        try:
            if (
                isinstance(value, bool)
                or not isinstance(value, str | int | Decimal)
                or not _NUMBER.fullmatch(str(value))
            ):
                raise InvalidOperation
            dollars = Decimal(value)
            if not dollars.is_finite() or not 0 <= dollars <= MAX_AMOUNT // 10**9:
                raise InvalidOperation
            return int(_EXACT.multiply(dollars, _NANO).to_integral_value(ROUND_HALF_EVEN))
        except InvalidOperation:
            self._refuse(f"cost must be in dollars, between 0 and {MAX_AMOUNT // 10**9}")

    def _refuse(self, reason: str) -> NoReturn:
        raise PlatformError(Code.INVALID_REQUEST, f"Line {self._number} of the export: {reason}.")


def _chain(first: str, following: Callable[[], str]) -> Iterator[str]:
    yield first
    yield from iter(following, "")
