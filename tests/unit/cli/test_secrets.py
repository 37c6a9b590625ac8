"""``llm-gateway secrets`` on the embedded store: what it prints, what it refuses, how it exits."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import CommandLine

CANARY = "canary-83ce01af55d2"
WORDS = "correct horse battery staple"
PATH = "llm/x/api_key"


def test_a_secret_is_described_shown_disabled_and_enabled(cli: CommandLine) -> None:
    cli.json("secrets", "set", PATH, stdin=CANARY)
    described = (
        "--description",
        "of the team",
        "--label",
        "env=prod",
        "--label",
        "team=red",
        "--expires",
        "2031-05-01",
    )
    assert cli("secrets", "describe", PATH, *described).returncode == 0
    assert cli("secrets", "describe", PATH, "--label", "team=").returncode == 0
    assert cli.json("secrets", "rotate", PATH, "--overlap", "60", stdin=CANARY + "2")["version"] == 2
    shown = cli.json("secrets", "show", PATH)
    assert (shown["description"], shown["labels"]) == ("of the team", {"env": "prod"})
    assert (shown["expires_at"], shown["created_by"]) == ("2031-05-01T00:00:00.000Z", "operator")
    assert [bool(each["valid_until"]) for each in shown["details"]] == [True, False]
    assert cli("secrets", "disable", PATH, "--version", "2").returncode == 0
    assert cli.json("secrets", "list")[0]["version"] is None
    refused = cli("secrets", "rotate", PATH, stdin="v")
    assert (refused.returncode, "is disabled" in refused.stderr) == (1, True)
    assert cli("secrets", "enable", PATH, "--version", "2").returncode == 0
    assert cli("secrets", "delete", PATH, "--version", "1", "--yes").returncode == 0
    assert cli.json("secrets", "list")[0]["versions"] == [2]
    table = cli("secrets", "show", PATH)
    assert "description: of the team" in table.stdout
    assert CANARY not in table.stdout


def test_an_odd_label_is_a_usage_error(cli: CommandLine) -> None:
    assert cli("secrets", "describe", PATH, "--label", "nothing").returncode == 2


def test_an_export_is_imported_elsewhere(cli: CommandLine, tmp_path: Path) -> None:
    cli.json("secrets", "set", PATH, stdin=CANARY)
    cli("secrets", "describe", PATH, "--description", "of the team")
    file = tmp_path / "export"
    assert cli.json("secrets", "export", "--output", str(file), stdin=WORDS)["secrets"] == 1
    assert file.stat().st_mode & 0o777 == 0o600
    assert CANARY.encode() not in file.read_bytes()
    assert cli("secrets", "export", "--output", str(file), stdin=WORDS).returncode == 1  # never written over
    cli("secrets", "delete", PATH, "--yes")

    for words, content in (("another passphrase", file.read_bytes()), (WORDS, file.read_bytes()[:-20])):
        spoilt = tmp_path / "spoilt"
        spoilt.write_bytes(content)
        refused = cli("secrets", "import", str(spoilt), stdin=words)
        assert refused.returncode == 1
        assert "Nothing was imported" in refused.stderr
        assert not cli.json("secrets", "list")
    assert cli.json("secrets", "import", str(file), stdin=WORDS) == [{"path": PATH, "result": "new"}]
    assert cli.json("secrets", "show", PATH)["description"] == "of the team"
    assert cli.json("secrets", "import", str(file), stdin=WORDS)[0]["result"] == "unchanged"


def test_the_embedded_store_is_sealed_and_its_key_rotated(cli: CommandLine) -> None:
    cli.json("secrets", "set", PATH, stdin=CANARY)
    assert cli.json("secrets", "rotate-key")[0]["unconfirmed"]
    assert not cli.json("secrets", "rotate-key", "--confirm")[0]["unconfirmed"]
    assert cli.json("secrets", "seal", "--passphrase", stdin=WORDS)[0]["sealed"]
    assert cli.json("secrets", "status")[0]["sealed"]
    refused = cli("secrets", "list")
    assert (refused.returncode, "sealed" in refused.stderr) == (1, True)


def test_a_changed_audit_log_is_found(cli: CommandLine) -> None:
    cli.json("secrets", "set", PATH, stdin=CANARY)
    cli.json("secrets", "list")
    cli.json("secrets", "list")
    assert cli.json("secrets", "verify-audit")["lines"] == 3
    log = cli.directory / "data" / "audit.log"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text(lines[0] + lines[2])
    broken = cli("secrets", "verify-audit")
    assert (broken.returncode, "audit.log:2" in broken.stderr) == (1, True)
