"""Migrations only widen the schema: the release before runs on it (docs/degradation.md)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import llm_platform
from tests.unit.core.expansion import contractions

SERVICES = Path(llm_platform.__file__).parent
SCRIPTS = sorted(SERVICES.glob("*/migrations/versions/*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_a_migration_only_widens_the_schema(script: Path) -> None:
    assert contractions(script.read_text()) == []


@pytest.mark.parametrize("folder", sorted({script.parent for script in SCRIPTS}), ids=lambda path: path.parents[1].name)
def test_the_revisions_of_a_service_are_numbered_one_after_the_other(folder: Path) -> None:
    """A release takes a database with a higher number than its own for one that a later release has widened."""
    before = None
    for script in sorted(folder.glob("*.py")):
        number = script.name[:4]
        assert re.search(rf'^revision(: str)? = "{number}"$', script.read_text(), re.MULTILINE), script
        after = re.search(r"^down_revision.* = (.+)$", script.read_text(), re.MULTILINE)
        assert after is not None
        assert after[1] == (f'"{before}"' if before else "None"), f"{script}: down_revision is not the one before it"
        before = number


def test_no_two_services_have_a_table_of_the_same_name() -> None:
    """They may share one PostgreSQL database."""
    made: dict[str, str] = {}
    for script in SCRIPTS:
        service = script.parents[2].name
        for table in re.findall(r'op\.create_table\(\s*"(\w+)"', script.read_text()):
            assert made.setdefault(table, service) == service, f"{service} and {made[table]} both make {table}"


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_table("users")',
        'op.drop_column("users", "name")',
        'op.rename_table("users", "people")',
        'op.alter_column("users", "name", nullable=False)',
        'op.alter_column("users", "name", new_column_name="called")',
        'op.add_column("users", sa.Column("mail", sa.Text, nullable=False))',
        'op.add_column("users", sa.Column("mail", sa.Text, unique=True))',
        'op.create_index("ux", "users", ["name"], unique=True)',
        'op.create_unique_constraint("ux", "users", ["name"])',
        'op.execute("ALTER TABLE users DROP COLUMN name")',
        'op.execute(sa.text("alter table users rename to people"))',
        'with op.batch_alter_table("users") as batch:\n        batch.drop_column("name")',
    ],
)
def test_what_the_release_before_cannot_live_with_is_found(line: str) -> None:
    assert contractions(f"def upgrade():\n    {line}\n")


@pytest.mark.parametrize(
    "line",
    [
        'op.create_table("teams", sa.Column("name", sa.Text, nullable=False, unique=True))',
        'op.add_column("users", sa.Column("mail", sa.Text))',
        'op.add_column("users", sa.Column("mail", sa.Text, nullable=False, server_default=""))',
        'op.create_index("ix", "users", ["name"])',
        'op.create_table("teams")\n    op.create_index("ux", "teams", ["name"], unique=True)',
        'op.execute("INSERT INTO users VALUES (1)")',
    ],
)
def test_what_widens_is_let_pass(line: str) -> None:
    assert contractions(f"def upgrade():\n    {line}\n\ndef downgrade():\n    op.drop_table('users')\n") == []
