"""The databases that the contract tests run on, each empty for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.database import sqlite_url
from llm_platform.rate_limiter import redis_limiter
from tests.servers.postgresql import PostgresqlServer
from tests.servers.redis import RedisServer
from tests.unit.billing.conftest import Clock


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """Shared: tests that stop it start it again."""
    with PostgresqlServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "database.sqlite")
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.make_database()


@pytest.fixture
def config(database: str, tmp_path: Path) -> Config:
    """The ledger in the database."""
    return Config(service=Service(data_dir=tmp_path / "data"), stores=Stores(ledger_url=database))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Shared by tests that only use it; those of faults start their own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may stall Redis: how long the limiter waits for it is not what is tested."""
    monkeypatch.setattr(redis_limiter, "CALL_SECONDS", 20)
