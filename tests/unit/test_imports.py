"""What a process does not load: memory for its whole life, and time at each start."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BARE = {"typer", "rich", "opentelemetry.sdk", "requests", "aiohttp", "cryptography", "llm_platform.standalone"}
_WITHOUT_DATABASE = {*_BARE, "sqlalchemy", "alembic", "argon2"}
_SERVICES = {
    "tail": _WITHOUT_DATABASE,
    "gateway": _WITHOUT_DATABASE,
    "head": {*_BARE, "alembic", "argon2", "sqlalchemy.dialects.postgresql"},
    "model_proxy": _WITHOUT_DATABASE,
    "rate_limiter": _WITHOUT_DATABASE,
    "secrets_service": _WITHOUT_DATABASE - {"cryptography"},
    "auth_service": _BARE - {"cryptography"},
    "admin_dashboard": _WITHOUT_DATABASE - {"aiohttp", "cryptography"},
    "user_dashboard": _WITHOUT_DATABASE - {"aiohttp", "cryptography"},
    "billing": {*_BARE, "sqlalchemy.dialects.postgresql"},
}


def _assert_not_loaded(modules: str, unneeded: set[str]) -> None:
    """In a process that imports ``modules``, comma-separated."""
    program = f"import sys, {modules}; print(*sorted({unneeded} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(("service", "unneeded"), _SERVICES.items())
def test_a_service_loads_only_what_it_needs(service: str, unneeded: set[str]) -> None:
    modules = "llm_platform.cli.run, llm_platform.core.lifecycle, llm_platform.rpc.server"
    _assert_not_loaded(f"{modules}, llm_platform.{service}.app", unneeded)


def test_help_needs_neither_the_services_nor_their_libraries() -> None:
    heavy = {"grpc", "sqlalchemy", "aiohttp", "pydantic", "rich", "opentelemetry"}
    _assert_not_loaded("llm_platform.cli.commands", heavy)


def test_without_telemetry_its_library_is_not_loaded() -> None:
    _assert_not_loaded("llm_platform.core.lifecycle, llm_platform.core.tracing", {"opentelemetry"})
