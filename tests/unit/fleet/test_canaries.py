"""The tests that look for leaks find one."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.fleet import Fleet
from tests.fleet.canaries import Canaries, LeakedError


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """It is not started."""
    settings = {
        "providers": {"x": {"type": "openai", "api_key": "key-given-to-the-provider"}},
        "stores": {"ledger_url": "postgresql://user:p%40ssword-of-the-ledger@host/x"},
    }
    return Fleet(tmp_path_factory.mktemp("fleet"), settings=settings, services=["secrets-service"])


@pytest.mark.parametrize("name", ["provider-key", "user-key", "vault-token", "database-password", "webhook-secret"])
@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda value: quote(f"x/{value}", safe=""),
        lambda value: value.encode().hex(),
        lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
        lambda value: base64.b64encode(f"a{value}".encode()).decode(),
        lambda value: base64.b64encode(value.encode()).decode(),
    ],
)
def test_a_secret_that_a_process_writes_is_found(fleet: Fleet, name: str, write: object) -> None:
    log = fleet.directory / "secrets-service-1.log"
    log.write_text(f"error: {write(fleet.canaries[name])} was refused\n")  # type: ignore[operator]
    with pytest.raises(LeakedError, match=f"{name} in .*secrets-service-1.log"):
        fleet.look_for_leaks()
    log.write_text("error: it was refused\n")
    fleet.look_for_leaks()


@pytest.mark.parametrize("secret", ["key-given-to-the-provider", "p@ssword-of-the-ledger"])
def test_secrets_of_the_settings_are_looked_for_everywhere_but_there(fleet: Fleet, secret: str) -> None:
    fleet.look_for_leaks()
    dump = fleet.data_dir("secrets-service") / "dump"
    dump.write_text(secret)
    with pytest.raises(LeakedError):
        fleet.look_for_leaks()
    dump.unlink()


def test_what_a_command_makes_is_looked_for() -> None:
    canaries = Canaries()
    canaries.learn([{"name": "short", "secret": "sk-made-by-a-command"}, {"password": "short"}])
    with pytest.raises(LeakedError):
        canaries.look("Authorization: sk-made-by-a-command", "an error")
    canaries.look("short", "an error")


def test_files_that_are_not_there_any_more_hold_nothing(tmp_path: Path) -> None:
    Canaries().look_in_files([tmp_path / "gone", tmp_path])
