"""PostgreSQL through asyncpg: every wait has an end, and every failure is SQLAlchemy's.

A server that is frozen or cut off says nothing at all, so nothing here relies on its answers: connecting, waiting for
a connection and each statement have limits of their own on this side. A connection that exceeded one is thrown away;
what it would still say is nobody's any more. The server is given the same limits, so that it does not go on with
what nobody waits for.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import asyncpg
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi, PGDialect_asyncpg
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn

if TYPE_CHECKING:
    from llm_platform.core.transactions import Transaction

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")
Connect = Callable[[], Awaitable[Any]]
"""Opens a connection of asyncpg's."""

CONNECT_SECONDS = 2.0
STATEMENT_SECONDS = 3.0
POOL_SECONDS = 1.0
"""How long a call waits for one of the pool's connections."""
TRANSACTION_SECONDS = 2.0
"""A whole transaction of the hot path, connecting included."""

_OPTIONS = {"host", "port", "user", "password", "database"}
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey")
_TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_BROKEN = (OSError, asyncpg.InternalClientError)
"""The connection is in doubt. asyncpg names the second when a connection is lost while it answers."""
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, *_BROKEN)
_NO_ANSWER = "57014"  # query_canceled: what the server says when it stops by itself what took too long
_NOT_REACHED = "08001"
_PARAMETER = re.compile(r"\$(\d+)")
_UNTRUSTED = "08LLM"
"""Our own, in the class of connections that cannot be made: the server's certificate is not trusted."""
_Errors = AsyncAdapt_asyncpg_dbapi
_CLASSES = {"22": _Errors.DataError, "23": _Errors.IntegrityError, "42": _Errors.ProgrammingError}


BY_INDEX = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
"""For a connection whose statements all find few rows by an index. Left alone, the server keeps the plan that was best
while a table was small, and reads the whole of it with each statement when it no longer is."""


def connector(
    url: URL, statement_seconds: float = STATEMENT_SECONDS, planning: Mapping[str, str] | None = None
) -> Connect:
    """How to connect to the server of ``url``. Raises ValueError for an option that is not known.

    libpq's ``sslmode`` (also as ``ssl``), ``sslrootcert``, ``sslcert`` and ``sslkey`` are taken from the URL's query.
    ``planning`` are further settings of the session.
    """
    make_dialect: Any = PGDialect_asyncpg
    _, options = make_dialect().create_connect_args(url)
    mode = options.pop("sslmode", None) or options.pop("ssl", None) or "prefer"
    files = {name: options.pop(name, None) for name in _TLS_FILES}
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ValueError(f"{', '.join(unknown)} is not known; there are sslmode, {', '.join(_TLS_FILES)}")
    tls = _tls(mode, files)
    milliseconds = str(int(statement_seconds * 1000))
    settings = {
        "application_name": "llm-platform",
        "statement_timeout": milliseconds,
        "lock_timeout": str(int(min(statement_seconds, TRANSACTION_SECONDS / 2) * 1000)),
        # A process that was cut off leaves its locks behind for no longer than this.
        "idle_in_transaction_session_timeout": milliseconds,
        **(planning or {}),
    }

    async def connect() -> Any:
        return await asyncpg.connect(
            **options, ssl=tls, timeout=CONNECT_SECONDS, command_timeout=statement_seconds, server_settings=settings
        )

    return connect


def _tls(mode: str, files: dict[str, str | None]) -> ssl.SSLContext | str:
    if mode not in _TLS_MODES:
        raise ValueError(f"sslmode is one of {', '.join(_TLS_MODES)}")
    if not mode.startswith("verify"):
        if given := [name for name, path in files.items() if path]:
            raise ValueError(f"{given[0]} needs sslmode=verify-full or verify-ca")
        return mode
    try:
        context = ssl.create_default_context(cafile=files["sslrootcert"])
    except OSError as error:
        raise ValueError(f"sslrootcert cannot be read: {error.strerror}") from None
    context.check_hostname = mode == "verify-full"
    if files["sslcert"]:
        try:
            context.load_cert_chain(files["sslcert"], files["sslkey"])
        except OSError as error:
            raise ValueError(f"sslcert or sslkey cannot be read: {error.strerror}") from None
    return context


def make_engine(url: URL, connections: int, statement_seconds: float = STATEMENT_SECONDS) -> AsyncEngine:
    """An engine with at most ``connections``. Raises ValueError for an option of the URL that is not known."""
    connect = connector(url, statement_seconds)

    async def creator() -> Any:
        try:
            return await connect()
        except _FAILURES as error:
            raise _driver_error(error) from error

    engine = create_async_engine(
        url, async_creator=creator, pool_size=connections, max_overflow=0, pool_timeout=POOL_SECONDS
    )
    dialect: Any = engine.dialect
    # Two questions to the server for each new connection, for types that no table here has.
    dialect.setup_asyncpg_json_codec = dialect.setup_asyncpg_jsonb_codec = _nothing
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _end_connection)
    return engine


async def _nothing(_connection: Any) -> None:
    pass


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Costs nothing, unlike a ping: a server that stopped has closed its connections."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _end_connection(context: ExceptionContext) -> StatementError | None:
    error = context.original_exception
    if not isinstance(error, _BROKEN):  # a timeout is an OSError
        return None
    if context.connection is not None:
        connection: Any = context.connection.connection
        connection.driver_connection.terminate()  # a polite end would wait for the server
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
    return _failure(error)


def _driver_error(error: Exception) -> Exception:
    """asyncpg's or the network's failure as the driver errors that SQLAlchemy knows, with an SQLSTATE."""
    if isinstance(error, TimeoutError):
        state = _NO_ANSWER
    elif isinstance(error, ssl.SSLCertVerificationError):
        state = _UNTRUSTED
    elif isinstance(error, asyncpg.DataError):  # refused before it was sent
        state = "22000"
    elif isinstance(error, (*_BROKEN, asyncpg.InterfaceError)):
        state = _NOT_REACHED
    else:
        state = str(getattr(error, "sqlstate", ""))
    kind: Any = _CLASSES.get(state[:2], _Errors.OperationalError)
    translated: Exception = kind(str(error) or type(error).__name__, error)
    translated.sqlstate = state  # type: ignore[attr-defined]
    return translated


def _failure(error: Exception) -> StatementError:
    return DBAPIError.instance(None, None, _driver_error(error), _Errors.Error)


class ServerTransactions:
    """Whole write transactions on a connection of their own, one after the other (core/transactions.py)."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._turn = asyncio.Lock()
        self._connection: Any = None

    async def run(self, work: Callable[[Transaction, *Arguments], T], *arguments: *Arguments) -> T:
        async with self._in_turn() as connection:
            try:
                # The rules hold by locks on rows: what was waited for must be read as it is now.
                await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                done: T = await greenlet_spawn(_whole, work, _ServerTransaction(connection), *arguments)
                await connection.execute("COMMIT")
            except BaseException as error:
                await self._roll_back(connection, error)
                raise
            return done

    async def run_one(self, statement: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        async with self._in_turn() as connection:
            try:
                rows: Sequence[Sequence[Any]] = await connection.fetch(statement, *values)
            except BaseException as error:
                _end_in_doubt(connection, error)
                raise
            return rows

    async def aclose(self) -> None:
        """Waits for the transaction under way."""
        async with self._turn:
            if self._connection is not None:
                self._connection.terminate()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[Any]:
        """The connection. Raises SQLAlchemyError for what fails on it."""
        try:
            async with asyncio.timeout(TRANSACTION_SECONDS), self._turn:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._connect()
                yield self._connection
        except _FAILURES as error:
            raise _failure(error) from error

    async def _roll_back(self, connection: Any, error: BaseException) -> None:
        if not _end_in_doubt(connection, error):
            try:
                await connection.execute("ROLLBACK")
            except _FAILURES:
                connection.terminate()


def _end_in_doubt(connection: Any, error: BaseException) -> bool:
    """Whether the error leaves the connection in doubt: then it is closed, which rolls back as well."""
    doubtful = not isinstance(error, Exception) or isinstance(error, _BROKEN)
    if doubtful:
        connection.terminate()
    return doubtful


class _ServerTransaction:
    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._written: list[tuple[str, Sequence[Any]]] = []

    def run(self, statement: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        self.send()
        rows: Sequence[Sequence[Any]] = await_only(self._connection.fetch(statement, *values))
        return rows

    def ask(self, questions: Sequence[tuple[str, Sequence[Any]]]) -> list[Sequence[Sequence[Any]]]:
        if not questions:
            return []
        statement, values = _joined(_answers_beside_each_other, questions)
        (answers,) = self.run(statement, values)
        return list(answers)

    def write(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._written.append((statement, values))

    def send(self) -> None:
        """What was written. Every statement of its own would cost a round trip."""
        if self._written:
            statement, values = _joined(_done_together, self._written)
            self._written = []
            await_only(self._connection.fetch(statement, *values))


def _whole(work: Callable[[Transaction, *Arguments], T], transaction: _ServerTransaction, *arguments: *Arguments) -> T:
    done = work(transaction, *arguments)
    transaction.send()
    return done


def _joined(join: Callable[[Sequence[str]], str], parts: Sequence[tuple[str, Sequence[Any]]]) -> tuple[str, list[Any]]:
    """One statement of several, and its values."""
    shape = tuple((statement, len(values)) for statement, values in parts)
    return _text(join, shape), [value for _, values in parts for value in values]


@lru_cache(64)
def _text(join: Callable[[Sequence[str]], str], parts: tuple[tuple[str, int], ...]) -> str:
    """``parts``: statements, and how many parameters each has; those of the whole follow each other."""
    firsts = accumulate((count for _, count in parts), initial=0)
    return join([_renumbered(statement, by) for (statement, _), by in zip(parts, firsts, strict=False)])


def _renumbered(statement: str, by: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", statement)


def _answers_beside_each_other(questions: Sequence[str]) -> str:
    arrays = [f"ARRAY(SELECT llm_row FROM ({question}) AS llm_row)" for question in questions]  # noqa: S608 - our own
    return f"SELECT {', '.join(arrays)}"


def _done_together(changes: Sequence[str]) -> str:
    *first, last = changes
    named = ", ".join(f"llm_{number} AS ({change})" for number, change in enumerate(first))
    return f"WITH {named} {last}" if first else last
