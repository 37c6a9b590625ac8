"""The stores of a production deployment for a fleet: a PostgreSQL and a Redis of its own."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any

from tests.servers.postgresql import PostgresqlServer
from tests.servers.redis import RedisServer


class ProductionStores:
    """Accounts and ledger in PostgreSQL, limits in Redis. Use it as a context manager around the fleet.

    ``postgresql_options`` are further settings of that server.
    """

    def __init__(self, *postgresql_options: str) -> None:
        self.postgresql = PostgresqlServer(*postgresql_options)
        self.redis = RedisServer()
        self.settings: dict[str, Any] = {}
        """The section ``stores`` of the configuration."""
        self._started = ExitStack()

    def __enter__(self) -> ProductionStores:
        with self._started:
            self._started.enter_context(self.postgresql)
            self._started.enter_context(self.redis)
            self.settings = {
                "accounts_url": self.postgresql.make_database(),
                "ledger_url": self.postgresql.make_database(),
                "limits_url": self.redis.url,
            }
            self._started = self._started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.close()
