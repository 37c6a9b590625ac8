"""Commands on embedded stores: what they print, what they refuse, how they exit."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from llm_platform.billing.app import open_ledger
from llm_platform.billing.usage.rollups import RollUps
from llm_platform.core.config import Config, Service
from llm_platform.core.database import open_database, sqlite_url
from llm_platform.model_proxy.refused import set_aside
from llm_platform.proto import ledger_pb2
from tests.unit.billing.calls import outcome, record, reserve, reserve_each
from tests.unit.cli.conftest import CommandLine

CANARY = "canary-4f1d9b7e2c"


def test_bootstrap_shows_the_first_credentials_once(cli: CommandLine) -> None:
    made = cli.json("bootstrap")
    assert made["created"]
    assert made["password"]
    assert made["key"].startswith("sk-")
    again = cli.json("bootstrap")
    assert (again["created"], again["password"], again["key"]) == (False, None, None)
    assert "Nothing was changed" in cli("bootstrap").stdout


def test_a_process_of_its_own_prints_takes_input_and_exits_alike(cli: CommandLine) -> None:
    made = cli.process("secrets", "set", "llm/x/api_key", stdin="value")
    assert (made.returncode, made.stderr) == (0, "")
    for arguments in (["keys", "revoke", "nothing"], ["secrets", "list"]):
        apart, here = cli.process(*arguments), cli(*arguments)
        assert (apart.returncode, apart.stdout, apart.stderr) == (here.returncode, here.stdout, here.stderr)
    assert cli.process("keys").returncode == cli("keys").returncode == 2


def test_keys_are_created_listed_and_revoked(cli: CommandLine) -> None:
    cli.json("bootstrap")
    made = cli.json("keys", "create", "app", "--rpm", "60", "--model", "echo", "--model", "gpt-4o")
    assert (made["requests_per_minute"], made["allowed_models"]) == (60, ["echo", "gpt-4o"])
    listed = {key["name"]: key for key in cli.json("keys", "list")}
    assert "secret" not in listed["app"]
    table = cli("keys", "list").stdout
    assert "60 requests/min" in table
    assert made["secret"] not in table
    assert cli.json("keys", "revoke", made["key_id"])["state"] == "revoked"
    assert "app" not in {key["name"] for key in cli.json("keys", "list")}
    assert "app" in {key["name"] for key in cli.json("keys", "list", "--revoked")}


def test_users_teams_and_organisations_are_administered(cli: CommandLine) -> None:
    assert cli.json("organizations", "create", "acme", "--rpm", "100")["requests_per_minute"] == 100
    cli.json("users", "create", "ci", "--service-account", "--organization", "acme")
    team = cli.json("teams", "create", "tools", "--organization", "acme", "--tpm", "5")
    changed = cli.json("teams", "update", "tools", "--rpm", "7", "--rpm-burst", "3")
    assert (changed["tokens_per_minute"], changed["requests_burst"]) == (5, 3)
    cli.json("teams", "add", "tools", "ci")
    made = cli.json(
        "keys", "create", "build", "--user", "ci", "--team", "tools", "--budget", "2.50", "--entry", "tail",
        "--ip-range", "10.0.0.0/8",
    )  # fmt: skip
    assert (made["team_id"], made["allowed_entries"]) == (team["team_id"], ["tail"])
    assert [budget["limit"] for budget in cli.json("budgets", "list")] == ["$2.50"]
    assert cli.json("keys", "update", made["key_id"], "--ip-range", "all")["ip_ranges"] == []
    late = cli("keys", "update", made["key_id"], "--rpm", "1", "--etag", made["etag"])
    assert (late.returncode, late.stderr.count("\n")) == (1, 1)
    assert "Someone else changed it" in late.stderr
    new = cli.json("keys", "rotate", made["key_id"], "--overlap", "60")
    assert new["counted_as"] == made["key_id"]
    assert cli.json("users", "disable", "ci")["state"] == "disabled"
    assert cli("teams", "delete", "tools", "--yes").returncode == 0
    assert cli.json("keys", "list", "--user", "ci") == []


def test_a_key_whose_budget_makes_no_sense_is_not_made(cli: CommandLine) -> None:
    cli.json("bootstrap")
    assert cli("keys", "create", "app", "--budget", "much").returncode == 1
    assert [key["name"] for key in cli.json("keys", "list")] == ["first"]


def test_a_key_that_does_not_exist_is_a_failure_in_one_line(cli: CommandLine) -> None:
    done = cli("keys", "revoke", "nothing")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_secret_comes_from_standard_input_and_is_never_shown(cli: CommandLine) -> None:
    assert cli.json("secrets", "set", "llm/x/api_key", stdin=CANARY + "\n") == {"path": "llm/x/api_key", "version": 1}
    assert cli.json("secrets", "rotate", "llm/x/api_key", stdin=CANARY)["version"] == 2
    listed = cli("secrets", "list", "--format", "json")
    assert "llm/x/api_key" in listed.stdout
    assert CANARY not in listed.stdout + listed.stderr
    for file in (cli.directory / "data").rglob("*"):
        assert not file.is_file() or CANARY.encode() not in file.read_bytes()
    assert cli("secrets", "delete", "llm/x/api_key", "--yes").returncode == 0
    assert not [info for info in cli.json("secrets", "list") if info["version"]]


def test_a_secret_may_be_any_bytes(cli: CommandLine) -> None:
    done = cli("secrets", "set", "llm/x/api_key", stdin=b"\xff\xfe\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_secret_is_no_argument(cli: CommandLine) -> None:
    assert cli("secrets", "set", "llm/x/api_key", CANARY).returncode == 2


def test_an_empty_secret_and_a_rotation_of_nothing_are_refused(cli: CommandLine) -> None:
    empty = cli("secrets", "set", "llm/x/api_key", stdin="\n")
    assert (empty.returncode, empty.stdout) == (1, "")
    assert "nothing was stored" in empty.stderr
    missing = cli("secrets", "rotate", "llm/x/api_key", stdin="v")
    assert missing.returncode == 1
    assert "there is no secret at llm/x/api_key" in missing.stderr


def test_a_deletion_is_confirmed(cli: CommandLine) -> None:
    cli.json("secrets", "set", "a/b", stdin="v")
    assert cli("secrets", "delete", "a/b", stdin="n\n").returncode == 1
    assert cli.json("secrets", "list")[0]["version"] == 1


def test_budgets_are_exact(cli: CommandLine) -> None:
    key = cli.json("bootstrap")["key_id"]
    (row,) = cli.json("budgets", "set", key, "0.000000001")
    assert row["limit_nano_dollars"] == 1
    assert cli.json("budgets", "set", key, "$12.5")[0]["limit"] == "$12.50"
    assert [each["limit_nano_dollars"] for each in cli.json("budgets", "list")] == [12_500_000_000]
    for _ in range(2):
        assert cli.json("budgets", "set", key, "none")[0]["limit"] is None
    assert cli.json("budgets", "list") == []


def test_prices_are_listed_and_shown(cli: CommandLine) -> None:
    assert cli.json("prices", "list") == []
    (price,) = cli.json("prices", "show", "echo/echo")
    assert (price["input"], price["output"], price["revision"]) == ("1", "2", "builtin-1")
    unknown = cli("prices", "show", "nobody/x")
    assert unknown.returncode == 1
    assert "is not known" in unknown.stderr


def test_a_budget_is_of_a_key_that_exists_however_it_is_named(cli: CommandLine) -> None:
    """A budget of a mistyped key would bind nobody, and the ledger must not keep a key's secret."""
    made = cli.json("bootstrap")
    for name in (made["key_id"], f"sk-llm-{made['key_id']}", made["key"]):
        assert cli.json("budgets", "set", name, "5")[0]["key_id"] == made["key_id"]
    assert cli("budgets", "set", "anonymous", "5").returncode == 0
    done = cli("budgets", "set", "mistyped", "5")
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "error: there is no such key.")
    assert [each["key_id"] for each in cli.json("budgets", "list")] == sorted(["anonymous", made["key_id"]])


@pytest.mark.case(9)
@pytest.mark.parametrize("amount", ["much", "-1", "0.0000000001", "nan", "inf", "1e30", "1e999999", "1000000001"])
def test_what_is_no_amount_is_refused(cli: CommandLine, amount: str) -> None:
    done = cli("budgets", "set", "key_1", "--", amount)
    assert done.returncode == 1
    assert "is not an amount" in done.stderr


def test_usage_and_the_ledger_of_a_new_platform(cli: CommandLine) -> None:
    assert cli.json("usage") == []
    assert "Nothing was used" in cli("usage").stdout
    assert cli.json("ledger", "verify") == {"entries": 0, "removed": 0, "open_reservations": 0, "problems": []}


def test_usage_is_printed_by_any_groups_and_no_name_becomes_a_formula(cli: CommandLine) -> None:
    async def book() -> None:
        config = Config(service=Service(data_dir=cli.directory / "data"))
        async with open_ledger(config, clock=lambda: 1_792_889_999.0) as ledger:  # 2026-10-25T02:59:59+02:00
            for model in ("=HYPERLINK(1)", "Модель 模型"):
                call = reserve(model=model)
                await reserve_each(ledger, call)
                await record(ledger, outcome(call, input_tokens=3, output_tokens=1))

    asyncio.run(book())
    groups = ("usage", "--by", "day,model", "--tz", "Europe/Berlin", "--since", "2026-10-25", "--until", "2026-10-26")
    lines = list(csv.DictReader(io.StringIO(cli(*groups, "--format", "csv").stdout)))
    assert [(line["day"], line["model"], line["cost"]) for line in lines] == [
        ("2026-10-25", "'=HYPERLINK(1)", "0.000005"),
        ("2026-10-25", "Модель 模型", "0.000005"),
    ]
    rows = cli.json(*groups)
    assert [(row["model"], row["requests"], row["cost_nano_dollars"]) for row in rows] == [
        ("=HYPERLINK(1)", 1, 5_000),
        ("Модель 模型", 1, 5_000),
    ]
    refused = cli("usage", "--by", "colour")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "by: give some of key, user" in refused.stderr


def test_config_check_prints_every_problem_and_exits_1(cli: CommandLine) -> None:
    file = cli.directory / "bad.yaml"
    file.write_text("cach: {}\nauth:\n  mode: x\n")
    done = cli("config", "check", str(file))
    assert done.returncode == 1
    assert f"{file}:1: cach: unknown key (did you mean cache?)" in done.stdout
    assert f"{file}:3: auth.mode: must be one of" in done.stdout
    file.write_text("cache: {enabled: true}")
    assert cli.json("config", "check", str(file))["notices"]


def test_config_show_redacts(cli: CommandLine) -> None:
    done = cli("config", "show", OPENAI_API_KEY=CANARY)
    assert '"api_key": "[redacted]"' in done.stdout
    assert CANARY not in done.stdout


def test_a_refused_configuration_is_told_by_every_command(cli: CommandLine) -> None:
    cli.config.write_text("nonsense: 1")
    for arguments in (["keys", "list"], ["serve"], ["run", "head", "--config", str(cli.config)]):
        done = cli(*arguments)
        assert done.returncode == 1
        assert "nonsense: unknown key" in done.stderr
        assert "Traceback" not in done.stderr


def test_what_an_operator_must_mend_is_told_in_a_line(cli: CommandLine) -> None:
    cli.config.write_text(json.dumps({"stores": {"ledger_url": "postgresql://u:hunter2@db/x", "secrets_key": "eA=="}}))
    for arguments in (["usage"], ["secrets", "list"]):
        done = cli(*arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert "hunter2" not in done.stderr


def test_the_catalogue_is_checked(cli: CommandLine) -> None:
    assert cli.json("catalog", "check") == {"valid": True, "problems": []}
    file = cli.directory / "catalog.yml"
    file.write_text("services: {a: {}}")
    assert cli("catalog", "check", str(file)).returncode == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["keys"],
        ["keys", "create"],
        ["run"],
        ["run", "nothing"],
        ["serve", "--port", "x"],
        ["keys", "create", "x", "--rpm", "1" + 20 * "0"],
    ],
)
def test_wrong_usage_exits_2(cli: CommandLine, arguments: list[str]) -> None:
    assert cli(*arguments).returncode == 2


def test_refused_outcomes_are_listed_and_replayed(cli: CommandLine) -> None:
    assert cli.json("ledger", "refused", "list") == cli.json("ledger", "refused", "replay") == []
    journals = cli.directory / "data" / "journal"
    journals.mkdir(parents=True)
    set_aside(journals, ledger_pb2.Outcome(attempt_id="rsv_1-1", key_id="key_1", provider="echo", model="echo"))
    set_aside(journals, ledger_pb2.Outcome(reservation_id="rsv_2", key_id="key_1"))  # without its attempt's id
    assert [row["attempt_id"] for row in cli.json("ledger", "refused", "list")] == ["rsv_1-1", ""]
    done = cli("ledger", "refused", "replay", "--format", "json")
    assert done.returncode == 1
    assert [row["replay"] for row in json.loads(done.stdout)] == ["recorded", "refused"]
    assert "needs the id of its attempt" in cli("ledger", "refused", "replay").stdout
    assert [row["reservation_id"] for row in cli.json("ledger", "refused", "list")] == ["rsv_2"]
    assert cli.json("ledger", "verify") == {"entries": 1, "removed": 0, "open_reservations": 0, "problems": []}


def test_archived_entries_are_removed_when_they_are_old_enough(cli: CommandLine) -> None:
    folder = cli.directory / "archive"
    folder.mkdir()
    refused = cli("ledger", "archive", "remove", str(folder))
    assert refused.returncode == 1
    assert "no segments" in refused.stderr
    attempt = asyncio.run(_book_long_ago(cli))
    before = (datetime.now(UTC) - timedelta(days=450)).date().isoformat()
    assert cli.json("ledger", "archive", "write", "--before", before, "--output", str(folder))["entries"] == 3
    planned = cli.json("ledger", "archive", "remove", str(folder), "--dry-run")
    assert planned == {"archived_to": 3, "confirmed": 3, "removed": 0, "dry_run": True}
    assert cli.json("ledger", "archive", "remove", str(folder))["removed"] == 3
    assert "nothing to remove" in cli("ledger", "archive", "remove", str(folder)).stdout
    report = cli.json("ledger", "verify")
    assert (report["entries"], report["removed"], report["problems"]) == (0, 3, [])
    assert json.loads(cli("ledger", "archive", "find", str(folder), attempt).stdout)["reference"] == attempt
    assert cli("ledger", "archive", "find", str(folder), "rsv_never-1").returncode == 1


async def _book_long_ago(cli: CommandLine) -> str:
    then = time.time() - 500 * 86_400
    config = Config(service=Service(data_dir=cli.directory / "data"))
    async with open_ledger(config, clock=lambda: then) as ledger:
        call = reserve()
        await reserve_each(ledger, call)
        await record(ledger, made := outcome(call))
    url = sqlite_url(cli.directory / "data" / "ledger.sqlite")
    async with open_database(url, "llm_platform.billing.migrations") as engine:
        await RollUps(engine).advance(int(time.time() * 1_000_000))
    return made.attempt_id
