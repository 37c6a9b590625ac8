from __future__ import annotations

import pytest

from llm_platform.core.config import Config
from llm_platform.core.health import Health, State
from llm_platform.core.plain_text import warn_of_plain_text

PASSWORD = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://u:hunter2@db.example/x",
        "postgresql+asyncpg://u:hunter2@db.example/x?sslmode=prefer",
        "postgresql+asyncpg://u:hunter2@10.0.0.7:5432/x?sslmode=disable",
        "redis://u:hunter2@redis.example:6379/0",
        "redis://10.0.0.7",
        "http://vault.example:8200",
    ],
)
async def test_a_store_across_the_network_in_plain_text_degrades_readiness(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    health = Health(Config())
    health.started = True
    warn_of_plain_text(health, "the store", url)
    report = await health.report()
    assert report.status is State.DEGRADED
    reason = report.dependencies["encryption of the store"].reason or ""
    assert "unencrypted" in reason
    assert PASSWORD not in reason + capsys.readouterr().out


@pytest.mark.parametrize(
    "url",
    [
        None,
        "sqlite+aiosqlite:////data/x.sqlite",
        "postgresql+asyncpg://u:hunter2@127.0.0.1/x",
        "postgresql+asyncpg://u:hunter2@localhost/x?sslmode=disable",
        "postgresql+asyncpg://u:hunter2@[::1]/x",
        "postgresql+asyncpg://u:hunter2@db.example/x?sslmode=require",
        "postgresql+asyncpg://u:hunter2@db.example/x?sslrootcert=/ca.pem&sslmode=verify-full",
        "rediss://u:hunter2@redis.example:6379/0",
        "redis://:hunter2@127.0.0.1/0",
        "https://vault.example:8200",
        "http://127.0.0.1:8200",
        "postgresql+asyncpg://[broken",
    ],
)
async def test_what_is_encrypted_or_stays_on_this_machine_is_fine(url: str | None) -> None:
    health = Health(Config())
    health.started = True
    warn_of_plain_text(health, "the store", url)
    assert (await health.report()).status is State.READY
