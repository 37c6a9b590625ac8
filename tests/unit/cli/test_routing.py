"""``llm-gateway routing`` on the stores of a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_budgets import Commands


@pytest.fixture
def run(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


def shown(run: Commands, *arguments: str) -> dict[str, Any]:
    printed: dict[str, Any] = json.loads(run("routing", "show", *arguments).stdout)
    return printed


def test_rules_are_shown_changed_listed_restored_and_taken_from_the_file(run: Commands, tmp_path: Path) -> None:
    assert "Nothing was changed yet" in run("routing", "revisions").stdout
    rules = shown(run)
    assert (rules["number"], rules["source"]) == (0, "file")
    rules["document"]["providers"][0]["models"].append({"name": "other", "upstream": "echo"})
    changed = tmp_path / "rules.json"
    changed.write_text(json.dumps(rules))
    made = json.loads(run("routing", "put", str(changed), "--note", "one more").stdout)
    assert (made["number"], made["actor"], made["note"]) == (2, "operator", "one more")
    again = run("routing", "put", str(changed))
    assert again.exit_code == 1
    assert "Someone else changed the rules meanwhile" in str(again.exception)
    assert "providers.echo.models.other" in run("routing", "revisions").stdout
    assert json.loads(run("routing", "restore", "1").stdout)["number"] == 3
    assert json.loads(run("routing", "import").stdout)["number"] == 4
    assert shown(run, "2")["document"] == made["document"]
    assert [each["action"] for each in run.json("audit", "list") if each["action"].startswith("Routing/")][:3] == [
        "Routing/ImportRules",
        "Routing/RestoreRevision",
        "Routing/PutRules",
    ]


def test_what_is_no_document_is_refused(run: Commands, tmp_path: Path) -> None:
    for text in ("[]", "{", '{"document": {"providers": 3}, "number": 0}', '{"document": {"secret": 1}, "number": 0}'):
        (tmp_path / "rules.json").write_text(text)
        refused = run("routing", "put", str(tmp_path / "rules.json"))
        assert refused.exit_code == 2, refused.stdout
