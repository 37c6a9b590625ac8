"""TLS to PostgreSQL and Redis; OpenBao's is in vault/."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from llm_platform.core import pki
from llm_platform.core.database_failures import reason
from llm_platform.core.postgresql import make_engine
from llm_platform.rate_limiter.redis_limiter import RedisLimiter
from tests.servers.postgresql import PostgresqlServer
from tests.servers.redis import RedisServer

UNTRUSTED = "its certificate is not trusted"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``own``: of the server, for 127.0.0.1; ``client``: of the same authority; ``other``: of a stranger's."""
    folder = tmp_path_factory.mktemp("tls")
    authority = pki.issue_authority("test.internal")
    pki.write_bundle(folder / "own", pki.issue_certificate(authority, "store", addresses=["127.0.0.1"]))
    pki.write_bundle(folder / "client", pki.issue_certificate(authority, "platform"))
    pki.write_bundle(folder / "other", pki.issue_certificate(pki.issue_authority("other.internal"), "store"))
    return folder


@pytest.fixture(scope="module")
def server(tls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlServer]:
    """Speaks TLS to whoever wants it."""
    key = Path("/tmp") / f"llm-tls-{os.getpid()}.pem"  # noqa: S108 - where the server's own user may read it
    certificate = key.with_suffix(".crt")
    authority = key.with_suffix(".ca")
    shutil.copy(tls / "own" / pki.KEY_FILE, key)
    shutil.copy(tls / "own" / pki.CERTIFICATE_FILE, certificate)
    shutil.copy(tls / "own" / pki.AUTHORITY_FILE, authority)
    key.chmod(0o600)
    if os.geteuid() == 0:
        for file in (key, certificate, authority):
            shutil.chown(file, "postgres")
    try:
        with PostgresqlServer(
            "ssl=on", f"ssl_cert_file={certificate}", f"ssl_key_file={key}", f"ssl_ca_file={authority}"
        ) as started:
            yield started
    finally:
        for file in (key, certificate, authority):
            file.unlink()


async def connected(server: PostgresqlServer, options: str, host: str = "127.0.0.1") -> tuple[bool, str]:
    """Whether the connection is encrypted, and the name in the client's certificate."""
    engine = make_engine(make_url(f"{server.url().replace('127.0.0.1', host)}?{options}"), 1)
    try:
        async with engine.connect() as connection:
            asked = text("SELECT ssl, coalesce(client_dn, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            encrypted, name = (await connection.execute(asked)).one()
            return bool(encrypted), str(name)
    finally:
        await engine.dispose()


async def test_postgresql_is_trusted_by_its_authority_and_its_name(server: PostgresqlServer, tls: Path) -> None:
    own, other = (f"sslrootcert={tls / name / pki.AUTHORITY_FILE}" for name in ("own", "other"))
    assert await connected(server, f"sslmode=verify-full&{own}") == (True, "")
    assert await connected(server, "sslmode=require") == (True, "")
    assert await connected(server, "sslmode=disable") == (False, "")
    for options in (f"sslmode=verify-full&{other}", f"sslmode=verify-ca&{other}", "sslmode=verify-full"):
        with pytest.raises(DBAPIError) as refusal:
            await connected(server, options)
        assert UNTRUSTED in reason(refusal.value)


async def test_postgresql_under_another_name_is_not_trusted(server: PostgresqlServer, tls: Path) -> None:
    own = f"sslrootcert={tls / 'own' / pki.AUTHORITY_FILE}"
    with pytest.raises(DBAPIError) as refusal:
        await connected(server, f"sslmode=verify-full&{own}", "localhost")  # its certificate names an address only
    assert UNTRUSTED in reason(refusal.value)
    assert await connected(server, f"sslmode=verify-ca&{own}", "localhost") == (True, "")


async def test_postgresql_is_shown_a_certificate_of_ours_if_we_have_one(server: PostgresqlServer, tls: Path) -> None:
    ours = tls / "client"
    own = f"sslmode=verify-full&sslrootcert={ours / pki.AUTHORITY_FILE}"
    shown = f"sslcert={ours / pki.CERTIFICATE_FILE}&sslkey={ours / pki.KEY_FILE}"
    assert "platform" in (await connected(server, f"{own}&{shown}"))[1]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "sslrootcert cannot be read"),
        ("sslmode=verify-full&sslcert=/nowhere/c.pem", "sslcert or sslkey cannot be read"),
        ("sslmode=require&sslrootcert=/nowhere/ca.pem", "sslrootcert needs sslmode=verify"),
        ("sslmode=sometimes", "sslmode is one of"),
    ],
)
async def test_options_of_tls_that_cannot_be_meant_are_refused(
    server: PostgresqlServer, options: str, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        await connected(server, options)


async def test_redis_is_trusted_by_its_authority_and_its_name(tls: Path) -> None:
    async def answers(url: str, authority: str) -> bool:
        limiter = RedisLimiter(
            url, environment="dev", default_ttl_seconds=60, authority=tls / authority / pki.AUTHORITY_FILE
        )
        async with aclosing(limiter):
            return await limiter.check() is None

    with RedisServer(tls=tls / "own") as secured:
        assert await answers(secured.url, "own")
        assert not await answers(secured.url, "other")
        assert not await answers(secured.url.replace("127.0.0.1", "localhost"), "own")
        assert not await answers(secured.url.replace("rediss:", "redis:"), "own")
