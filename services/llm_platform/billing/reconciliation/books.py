"""A provider's export on disk, where it can be looked up by attempt: memory does not grow with it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

from llm_platform.billing.reconciliation.export import ExportLine
from llm_platform.billing.records import UsageCounts
from llm_platform.core.provider_ids import provider_request_id
from llm_platform.proto import ledger_pb2

_AT_ONCE = 1_000
_TABLES = """
CREATE TABLE lines (
  number INTEGER PRIMARY KEY, attempt_id TEXT, request_id TEXT, at INTEGER, model TEXT,
  input INTEGER, cached INTEGER, written INTEGER, output INTEGER, reasoning INTEGER, heard INTEGER, spoken INTEGER,
  cost INTEGER, state TEXT
);
"""
_COLUMNS = "number, attempt_id, request_id, at, model, input, cached, written, output, reasoning, heard, spoken, cost"


class Books:
    """A temporary file of SQLite's. A line is ``new`` until it is ``matched``; ``again``: its attempt has another."""

    def __enter__(self) -> Books:
        self._file = tempfile.NamedTemporaryFile(prefix="llm-export-")
        self._connection = sqlite3.connect(self._file.name, isolation_level=None)
        # Nobody needs it after this process.
        self._connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()
        self._file.close()

    def load(self, lines: Iterable[ExportLine]) -> int:
        """All of them or, when reading them fails, nothing that counts; answers how many."""
        connection = self._connection
        connection.execute("BEGIN")
        rows = (
            (*line._replace(request_id=provider_request_id(line.request_id))[:5], *line.usage, line.cost, "new")
            for line in lines
        )
        connection.executemany(f"INSERT INTO lines VALUES ({', '.join('?' * 14)})", rows)  # noqa: S608 - only question marks
        connection.execute("CREATE INDEX by_attempt ON lines (attempt_id)")
        connection.execute("CREATE INDEX by_request ON lines (request_id) WHERE attempt_id = ''")
        connection.execute(
            "UPDATE lines SET state = 'again' WHERE attempt_id != '' AND number >"
            " (SELECT min(number) FROM lines AS first WHERE first.attempt_id = lines.attempt_id)"
        )
        connection.execute(
            "UPDATE lines SET state = 'again' WHERE attempt_id = '' AND request_id != '' AND number > (SELECT"
            " min(number) FROM lines AS first WHERE first.attempt_id = '' AND first.request_id = lines.request_id)"
        )
        connection.execute("CREATE INDEX by_state ON lines (state, number)")
        connection.execute("COMMIT")
        return int(connection.execute("SELECT count(*) FROM lines").fetchone()[0])

    def of(self, calls: Sequence[ledger_pb2.Attempt]) -> dict[str, ExportLine]:
        """The lines of attempts, which are matched from then on. A line that only has the provider's own id is the one
        of the first attempt that has it: from then on it says so."""
        self._name([call for call in calls if call.provider_request_id])
        attempt_ids = [call.attempt_id for call in calls]
        found = {}
        for start in range(0, len(attempt_ids), _AT_ONCE):
            part = attempt_ids[start : start + _AT_ONCE]
            places = ", ".join("?" * len(part))
            which = f"attempt_id IN ({places}) AND state != 'again'"
            query = f"SELECT {_COLUMNS} FROM lines WHERE {which}"  # noqa: S608 - only question marks
            for row in self._connection.execute(query, part):
                found[row[1]] = _line(row)
            self._connection.execute(f"UPDATE lines SET state = 'matched' WHERE {which}", part)  # noqa: S608
        return found

    def _name(self, calls: Sequence[ledger_pb2.Attempt]) -> None:
        named = "SELECT number FROM lines WHERE request_id = ? AND attempt_id = '' AND state = 'new'"
        unless = "NOT EXISTS (SELECT 1 FROM lines WHERE attempt_id = ?)"
        self._connection.executemany(
            f"UPDATE lines SET attempt_id = ? WHERE number = ({named}) AND {unless}",  # noqa: S608 - as they stand here
            ((call.attempt_id, call.provider_request_id, call.attempt_id) for call in calls),
        )

    def unmatched(self, *, after: int = 0) -> list[ExportLine]:
        """The next lines that no attempt has asked for."""
        return self._next("new", after)

    def names_all_calls(self) -> bool:
        """Whether it is known of every line which attempt it is of."""
        return not self._connection.execute("SELECT EXISTS (SELECT 1 FROM lines WHERE attempt_id = '')").fetchone()[0]

    def charged_again(self) -> Iterator[ExportLine]:
        """Lines of attempts that had one before."""
        after = 0
        while lines := self._next("again", after):
            yield from lines
            after = lines[-1].number

    def cost(self) -> int | None:
        """The sum, in nano-dollars; None: some line has none."""
        total, lines, priced = self._connection.execute(
            "SELECT coalesce(sum(cost), 0), count(*), count(cost) FROM lines"
        ).fetchone()
        return int(total) if lines == priced else None

    def _next(self, state: str, after: int) -> list[ExportLine]:
        query = f"SELECT {_COLUMNS} FROM lines WHERE state = ? AND number > ? ORDER BY number LIMIT {_AT_ONCE}"  # noqa: S608
        return [_line(row) for row in self._connection.execute(query, (state, after))]


def _line(row: Sequence[object]) -> ExportLine:
    number, attempt_id, request_id, at, model, *rest = row
    *counts, cost = rest
    return ExportLine(number, attempt_id, request_id, at, model, UsageCounts(*counts), cost)  # type: ignore[arg-type]
