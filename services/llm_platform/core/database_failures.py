"""What a failure of a database means: by SQLite's result code or PostgreSQL's SQLSTATE, never by words.

https://www.sqlite.org/rescode.html, https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from llm_platform.core.errors import Code, PlatformError

_SQLITE_REASONS: dict[int, str] = {
    sqlite3.SQLITE_BUSY: "it is locked by another process",
    sqlite3.SQLITE_LOCKED: "it is locked by another process",
    sqlite3.SQLITE_READONLY: "it is read-only; look at the owner and mode of its file, folder and file system",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened; look at the owner and mode of its folder",
    sqlite3.SQLITE_CORRUPT: "its file is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "its file is not a database",
}
_OTHER_DATA = (
    "its tables are missing or older than this release: it is another database, or was restored from an old backup; "
    "bring the right data back, or restart the service, which adds what is missing"
)
_POSTGRESQL_REASONS = {
    "08LLM": "its certificate is not trusted; look at sslrootcert, and at the names in the certificate",
    "08": "it cannot be reached",
    "25006": "it is read-only",
    "28": "it refuses the user or the password",
    "3D000": "there is no database of that name",
    "40001": "a transaction met another one",
    "40P01": "a transaction met another one",
    "42501": "its user may not do this; it must own the tables",
    "42703": _OTHER_DATA,
    "42P01": _OTHER_DATA,
    "53100": "the disk is full",
    "53200": "it is out of memory",
    "53300": "it has too many connections",
    "55P03": "it is locked by another process",
    "57014": "it did not answer in time",
    "57P": "it is stopping or starting",
    "58030": "its disk failed",
}
"""By SQLSTATE or the beginning of it."""
_TRANSIENT_SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_MET_ANOTHER = ("40001", "40P01", "55P03")
_CONNECTION_LOST = ("08", "57P01", "57P02", "57P03")
_UNREACHABLE = (*_CONNECTION_LOST, "53300", "57014")


def is_transient(error: BaseException) -> bool:
    """Whether the same transaction, run again from its beginning, may succeed: a lock, a deadlock, a lost connection.

    After a lost connection nobody knows whether it was committed: only what may be done twice may be run again.
    """
    code, state = _codes(error)
    return code in _TRANSIENT_SQLITE or state.startswith((*_MET_ANOTHER, *_CONNECTION_LOST))


def is_unreachable(error: BaseException) -> bool:
    """Whether there is nobody to talk to, or no free place: waiting may help."""
    return _codes(error)[1].startswith(_UNREACHABLE)


def is_full(error: BaseException) -> bool:
    """Whether the disk is full. A small write may find a place all the same."""
    code, state = _codes(error)
    return code == sqlite3.SQLITE_FULL or state == "53100"


def unavailable(error: SQLAlchemyError, what: str) -> PlatformError:
    """What a caller is told when the database fails: ``what`` names it, e.g. "The ledger's database"."""
    return PlatformError(Code.UNAVAILABLE, f"{what} cannot be used: {reason(error)}.", retry_after=1)


def reason(error: BaseException, detail: str | None = None) -> str:
    """The failure in words of our own; ``detail`` is said where there are none, or where it is of a statement."""
    code, state = _codes(error)
    known = _SQLITE_REASONS.get(code) or next(
        (words for begin, words in _POSTGRESQL_REASONS.items() if state.startswith(begin)), None
    )
    if known and not (detail and state.startswith("42")):
        return known
    if isinstance(error, PoolTimeoutError):
        return "all connections are in use"
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "the connection broke"
    # The driver's own words may quote values: a caller is only told the kind of failure, an operator all.
    return detail or type(error.orig if isinstance(error, DBAPIError) else error).__name__


def _codes(error: BaseException) -> tuple[int, str]:
    """SQLite's primary result code (0: none) and the SQLSTATE (empty: none) of a failure."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        return getattr(original, "sqlite_errorcode", 0) & 0xFF, ""
    return 0, str(getattr(original, "sqlstate", None) or "")
