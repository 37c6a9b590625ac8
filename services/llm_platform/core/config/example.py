"""The annotated example file, generated from the model, so that it cannot disagree with it."""

from __future__ import annotations

import json
import textwrap
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from llm_platform.core.config import Config, Provider

_HEAD = """\
# Every key of the configuration with its default. Nothing here has to be given: start from an empty file and add
# what differs. ${VAR} and ${VAR:-default} are replaced from the environment; write $${ for a plain ${.
# Check a file with: llm-gateway config check FILE
"""
_PROVIDERS = {
    "echo": "Built in, needs no key: answers with what it was asked.",
    "openai": "Any OpenAI-compatible API. Its key is better kept as the secret llm/openai/api_key.",
}
_WIDTH = 118


def annotated_example() -> str:
    """A YAML file with every section and key, its meaning, unit and default."""
    lines = [_HEAD]
    for name, known in Config.model_fields.items():
        lines += [*_section(name, known), ""]
    return "\n".join(lines)


def _section(name: str, known: FieldInfo) -> list[str]:
    if name == "providers":
        return _providers()
    model = _model(known.annotation)
    if model is None:
        return [*_comment(known.description, ""), f"{name}: {_value(known.get_default(call_default_factory=True))}"]
    lines = _comment((model.__doc__ or "").strip().split("\n")[0] if model.__doc__ else None, "")
    if known.default is None:
        # A section that is absent by default stays commented out, whole.
        return [*lines, f"# {name}:", *(f"# {line}" for line in _keys(model.model_fields, {}))]
    return [*lines, f"{name}:", *_keys(model.model_fields, {})]


def _providers() -> list[str]:
    lines = ["providers:"]
    examples: dict[str, dict[str, Any]] = {
        "echo": {"type": "echo", "models": ["echo"]},
        "openai": {"type": "openai", "enabled": False, "models": {"gpt-4o-mini": "gpt-4o-mini"}},
    }
    for name, given in examples.items():
        lines += [f"  # {_PROVIDERS[name]}", f"  {name}:"]
        shown = Provider.model_fields if name != "echo" else {key: Provider.model_fields[key] for key in given}
        lines += [f"  {line}" for line in _keys(shown, given)]
    return lines


def _keys(fields: Mapping[str, FieldInfo], given: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, known in fields.items():
        lines += _comment(_meaning(known), "  ")
        value = given.get(name, known.get_default(call_default_factory=True))
        if known.is_required() and name not in given:
            lines.append(f"  {name}: …")
        elif value is None:
            lines.append(f"  # {name}:")
        else:
            lines.append(f"  {name}: {_value(value)}")
    return lines


def _meaning(known: FieldInfo) -> str | None:
    choices = typing.get_args(known.annotation) if typing.get_origin(known.annotation) is typing.Literal else ()
    parts = [known.description or "", f"One of: {', '.join(map(str, choices))}." if choices else ""]
    return " ".join(part for part in parts if part) or None


def _comment(text: str | None, indent: str) -> list[str]:
    if not text:
        return []
    return [f"{indent}# {line}" for line in textwrap.wrap(" ".join(text.split()), _WIDTH - len(indent) - 2)]


def _value(value: object) -> str:
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, SecretStr):
        return '""'
    return json.dumps(value, ensure_ascii=False)


def _model(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *typing.get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
