"""Migrations made for one test."""

from __future__ import annotations

import itertools
from pathlib import Path
from textwrap import dedent

_names = itertools.count()


class Migrations:
    """A package of migrations in ``folder``, which must be on Python's path."""

    def __init__(self, folder: Path) -> None:
        self.parent = f"migrations_of_a_test_{next(_names)}"
        self.package = f"{self.parent}.migrations"
        self._folder = folder / self.parent / "migrations"
        (self._folder / "versions").mkdir(parents=True)
        (folder / self.parent / "__init__.py").touch()
        (self._folder / "env.py").write_text(
            dedent(
                """
                from alembic import context
                from sqlalchemy import MetaData
                from llm_platform.core.database import migrate
                migrate(context, MetaData())
                """
            )
        )

    def add(self, revision: str, *statements: str, after: str | None = None) -> Path:
        """The script that was written."""
        body = "\n".join(f"    op.execute({statement!r})" for statement in statements)
        script = self._folder / "versions" / f"{revision}.py"
        script.write_text(
            f"from alembic import op\nrevision = {revision!r}\ndown_revision = {after!r}\n"
            f"def upgrade():\n    pass\n{body}\n"
        )
        return script
