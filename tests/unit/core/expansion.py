"""What a migration does that the release before cannot live with. Only the ``upgrade`` of a script is looked at."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_NEVER = {
    "drop_table": "drops a table",
    "drop_column": "drops a column",
    "drop_constraint": "drops a constraint",
    "rename_table": "renames a table",
    "create_unique_constraint": "forbids what the release before may write",
    "create_check_constraint": "forbids what the release before may write",
    "create_foreign_key": "forbids what the release before may write",
    "create_primary_key": "changes a key",
}
_SQL = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN|CONSTRAINT)|RENAME|TRUNCATE|ALTER\s+COLUMN|SET\s+NOT\s+NULL)\b", re.IGNORECASE
)


def contractions(script: str) -> list[str]:
    """``line: what is wrong`` of each."""
    found = []
    for node in ast.parse(script).body:
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade":
            new = {name for call in _calls(node, "create_table") if (name := _text(call.args[0]))}
            found += [f"{call.lineno}: {what}" for call in _calls(node) for what in _wrong(call, new)]
    return found


def _wrong(call: ast.Call, new_tables: set[str]) -> Iterator[str]:
    name = _name(call)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in _NEVER:
        yield _NEVER[name]
    elif name == "alter_column" and given.keys() - {
        "existing_type",
        "existing_nullable",
        "existing_server_default",
    } != {"server_default"}:
        yield "changes a column"
    elif name == "add_column":
        yield from _wrong_column(call)
    elif name == "create_index" and _is(given.get("unique"), True):
        table = _text(call.args[1]) if len(call.args) > 1 else None
        if table not in new_tables:
            yield "forbids what the release before may write"
    elif name in ("execute", "text", "DDL"):
        said = " ".join(each.value for each in ast.walk(call) if isinstance(each, ast.Constant) and _text(each))
        if match := _SQL.search(said):
            yield f"runs {match[0]}"


def _wrong_column(call: ast.Call) -> Iterator[str]:
    for column in _calls(call, "Column"):
        given = {keyword.arg: keyword.value for keyword in column.keywords}
        if _is(given.get("nullable"), False) and "server_default" not in given:
            yield "adds a column that the release before leaves empty, and may not be"
        if _is(given.get("unique"), True):
            yield "forbids what the release before may write"


def _calls(node: ast.AST, name: str | None = None) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call) and name in (None, _name(each)))


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value
