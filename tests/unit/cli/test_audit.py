"""``llm-gateway audit`` and ``sign-in`` on the stores of a directory."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from llm_platform.cli.commands import app
from llm_platform.core.errors import PlatformError


@pytest.fixture
def run(tmp_path: Path) -> object:
    config = tmp_path / "config.yaml"
    config.write_text(f"service: {{data_dir: {tmp_path}}}\n")

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(config)])

    assert invoke("bootstrap").exit_code == 0
    return invoke


def test_what_was_done_is_listed_exported_and_checked(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    reset = json.loads(run("sign-in", "reset-password", "admin", "--format", "json").stdout)
    listed = json.loads(run("audit", "list", "--format", "json").stdout)
    assert [entry["action"] for entry in listed] == ["Sessions/ResetPassword", "Accounts/Bootstrap"]
    lines = [json.loads(line) for line in run("audit", "export").stdout.splitlines()]
    assert lines == listed[::-1]
    rows = list(csv.DictReader(io.StringIO(run("audit", "export", "--format", "csv").stdout)))
    assert [row["hash"] for row in rows] == [line["hash"] for line in lines]
    assert reset["password"] not in str(lines)
    assert json.loads(run("audit", "verify", "--format", "json").stdout)["intact"] is True
    known = f"2:{lines[1]['hash']}"
    assert run("audit", "verify", "--known", known).exit_code == 0
    assert run("audit", "verify", "--known", f"1:{lines[1]['hash']}").exit_code == 1
    assert run("audit", "verify", "--known", "nonsense").exit_code == 2
    with sqlite3.connect(tmp_path / "accounts.sqlite") as database:
        database.execute("DROP TRIGGER audit_append_only_update")
        database.execute("UPDATE audit_entries SET actor_id = 'somebody' WHERE number = 1")
    broken = run("audit", "verify", "--format", "json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["broken"] == 1


def test_what_cannot_be_is_told(run) -> None:  # type: ignore[no-untyped-def]
    assert isinstance(run("audit", "list", "--since", "yesterday").exception, PlatformError)
    assert isinstance(run("sign-in", "reset-password", "nobody").exception, PlatformError)
