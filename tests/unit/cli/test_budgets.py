"""Budgets, first budgets of keys, and invoices on the stores of a directory."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from llm_platform.billing.app import open_ledger
from llm_platform.cli import keys
from llm_platform.cli.audited import NOTED
from llm_platform.cli.commands import app
from llm_platform.core import catalog
from llm_platform.core.config import Config, Service
from llm_platform.core.errors import Code, PlatformError
from tests.unit.billing.calls import put_budget


class Commands:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._config = directory / "config.yaml"
        self._config.write_text(f"service: {{data_dir: {directory}}}\n")

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self._config)])

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--format", "json")
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)


@pytest.fixture
def run(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


@pytest.fixture
def team(run: Commands) -> str:
    team_id: str = run.json("teams", "create", "tools")["team_id"]
    return team_id


def test_budgets_of_scopes_and_windows_are_set_shown_and_deleted(run: Commands, team: str) -> None:
    options = ("--scope", "team", "--period", "daily")
    (made,) = run.json("budgets", "set", "tools", "1", *options, "--tz", "Europe/Berlin", "--thresholds", "80,50%")
    assert (made["scope_id"], made["remaining"], made["window_ends_at"] is None) == (team, "$1.00", False)
    (raised,) = run.json("budgets", "set", team, "2", *options, "--etag", made["etag"])
    assert (raised["limit"], raised["time_zone"], raised["thresholds"]) == ("$2.00", "Europe/Berlin", [50, 80])
    late = run("budgets", "set", team, "3", *options, "--etag", made["etag"]).exception
    assert isinstance(late, PlatformError)
    assert "changed meanwhile" in late.message
    assert run.json("budgets", "set", team, "2", *options, "--thresholds", "none")[0]["thresholds"] == []
    (moved,) = run.json("budgets", "set", team, "2", *options, "--tz", "UTC")
    assert (moved["time_zone"], moved["thresholds"]) == ("UTC", [])
    run.json("budgets", "set", team, "0.5", "--scope", "team", "--soft")
    assert len(run.json("budgets", "show", "tools", "--scope", "team")) == 2
    assert run("budgets", "delete", team, *options).exit_code == 0
    assert run("budgets", "delete", team, *options).exit_code == 1
    assert [each["enforcement"] for each in run.json("budgets", "list", "--scope", "team")] == ["soft"]
    assert run("budgets", "show", "team_b", "--scope", "team").exit_code == 1
    assert run("budgets", "set", team, "1", "--scope", "team", "--tz", "Mars").exit_code == 1
    assert run.json("budgets", "notifications") == []
    assert run("teams", "delete", "tools", "--yes").exit_code == 0
    assert len(run.json("budgets", "show", team, "--scope", "team")) == 1


def test_what_is_not_given_is_not_taken_from_the_budget_of_an_organisations_admin(run: Commands, team: str) -> None:
    async def set_by_an_admin() -> None:
        async with open_ledger(Config(service=Service(data_dir=run.directory))) as ledger:
            await put_budget(ledger, "team", team, 5, organization_id="org_b", time_zone="Asia/Tokyo", thresholds=[9])

    asyncio.run(set_by_an_admin())
    (made,) = run.json("budgets", "set", team, "1", "--scope", "team")
    assert (made["organization_id"], made["time_zone"], made["thresholds"]) == (None, "UTC", [])


@pytest.mark.parametrize("scope", ["key", "user", "team", "organization"])
def test_a_budget_of_nobody_is_refused(scope: str, run: Commands) -> None:
    done = run("budgets", "set", "mistyped", "5", "--scope", scope)
    assert (done.exit_code, done.stderr.splitlines()[0]) == (1, f"error: there is no such {scope}.")
    assert run.json("budgets", "list") == []


def test_changes_of_budgets_stand_in_the_audit_log_also_without_services(run: Commands, team: str) -> None:
    run.json("budgets", "set", team, "1", "--scope", "team")
    assert run("budgets", "delete", team, "--scope", "team", "--etag", "other").exit_code == 1
    listed = run.json("audit", "list", "--action", "Ledger/")
    assert [(entry["action"], entry["target"], entry["result"], entry["reason"]) for entry in listed] == [
        ("Ledger/DeleteBudget", team, "failed", "conflict"),
        ("Ledger/PutBudget", team, "ok", ""),
    ]
    assert {entry["service"] for entry in listed} == {"billing"}
    assert run.json("audit", "verify")["intact"] is True


def test_what_is_noted_without_services_is_what_the_catalogue_says() -> None:
    services = catalog.load().services
    assert services["billing"].audit | services["head"].audit == NOTED


def test_a_key_is_not_shown_before_its_budget_is_set(run: Commands) -> None:
    run("bootstrap")
    (run.directory / "ledger.sqlite").write_bytes(b"no database" * 100)
    done = run("keys", "create", "app", "--budget", "5")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "It is revoked" in done.stderr
    (made,) = [key for key in run.json("keys", "list", "--revoked") if key["name"] == "app"]
    assert made["state"] == "revoked"
    assert made["key_id"] in done.stderr


def test_a_key_that_cannot_be_revoked_again_is_named(run: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    run("bootstrap")
    gone = PlatformError(Code.UNAVAILABLE, "gone")

    def no_ledger(*_arguments: object) -> None:
        monkeypatch.setattr(keys, "with_accounts", no_accounts)
        raise gone

    def no_accounts(*_arguments: object) -> None:
        raise PlatformError(Code.UNAVAILABLE, "away")

    monkeypatch.setattr(keys, "with_ledger", no_ledger)
    done = run("keys", "create", "app", "--budget", "5")
    monkeypatch.undo()
    (made,) = [key for key in run.json("keys", "list") if key["name"] == "app"]
    assert (done.exception, done.stdout) == (gone, "")
    assert f"llm-gateway keys revoke {made['key_id']}" in done.stderr


def test_an_invoice_is_of_someone_who_is_known_and_of_one_period_that_has_ended(run: Commands) -> None:
    organization = run.json("organizations", "create", "acme")["organization_id"]
    assert run.json("invoices", "make", "--organization", "acme", "--month", "2026-01")["id"] == organization
    now = datetime.now(UTC).replace(microsecond=0).isoformat()  # something may still be booked before it
    for wrong in (
        ("--organization", "acne", "--month", "2026-01"),
        ("--organization", "acme", "--month", "2026-01", "--since", "2026-01-15"),
        ("--organization", "acme", "--since", "2026-01-15"),
        ("--organization", "acme", "--since", "2026-01-01", "--until", now),
    ):
        done = run("invoices", "make", *wrong)
        assert (done.exit_code, done.stdout) == (1, ""), wrong
