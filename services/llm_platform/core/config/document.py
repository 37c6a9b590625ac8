"""A YAML file as plain data, with the line of every key and with variables substituted.

Only what a configuration needs of YAML is accepted: mappings with text keys, lists and plain values.
No aliases (they can expand a small file without bound), no tags (they can name code), no duplicate
keys. ``${VAR}`` and ``${VAR:-default}`` in values are replaced by text, once; nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

MAX_BYTES = 1024 * 1024

Location: TypeAlias = tuple[str | int, ...]


class Problem(NamedTuple):
    """One thing that is wrong: where, which key, what, and what may be meant."""

    where: str
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        subject = f"{self.where}: {self.key}: " if self.key else f"{self.where}: "
        return subject + self.message + (f" ({self.hint})" if self.hint else "")


class ConfigError(Exception):
    """The configuration is refused; holds every problem found, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass
class Document:
    """``places`` tells where a value was written, ``substituted`` which values came from variables."""

    data: dict[str, Any]
    places: dict[Location, str] = field(default_factory=dict)
    substituted: set[Location] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def place(self, location: Location) -> str:
        """Where ``location`` is written, or else the closest section around it."""
        for end in range(len(location), -1, -1):
            if (where := self.places.get(location[:end])) is not None:
                return where
        return "configuration"

    def set(self, location: Location, value: Any, place: str) -> None:
        """Puts a value in from outside the file. A section that is not a mapping is left for validation to refuse."""
        section: Any = self.data
        for name in location[:-1]:
            if not isinstance(section, dict):
                return
            if section.get(name) is None:
                section[name] = {}
            section = section[name]
        if isinstance(section, dict):
            section[location[-1]] = value
            self.places[location] = place
            self.substituted.add(location)


def dotted(location: Location) -> str:
    """``("providers", "x", "models", 0)`` as ``providers.x.models[0]``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def parse(text: str, name: str, environment: Mapping[str, str]) -> Document:
    """Reads the text of the file ``name``. Raises ``ConfigError`` when it is not YAML of the kind above."""
    if len(text) > MAX_BYTES:
        raise ConfigError([Problem(name, "", f"the file is larger than {MAX_BYTES // 1024} KiB")])
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_not_yaml(text, name, error)]) from None
    except yaml.YAMLError as error:
        raise ConfigError([Problem(name, "", f"not valid YAML: {' '.join(str(error).split())}")]) from None
    except RecursionError:
        raise ConfigError([Problem(name, "", "nested too deeply")]) from None
    reader = _Reader(name, environment)
    if root is None:
        return reader.document
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError([Problem(f"{name}:{root.start_mark.line + 1}", "", "the file must be a mapping of sections")])
    reader.document.data = reader.mapping(root, ())
    return reader.document


def _not_yaml(text: str, name: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    number = mark.line if mark else 0
    line = text.splitlines()[number] if number < len(text.splitlines()) else ""
    hint = 'inside {…} and […] write "${VAR}" in quotes' if "${" in line else ""
    return Problem(f"{name}:{number + 1}", "", f"not valid YAML: {error.problem or error.context}", hint)


class _Loader(yaml.SafeLoader):
    """Refuses aliases while the tree is put together, before anything can grow."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave it untyped
            raise yaml.composer.ComposerError(
                None, None, f"aliases (*{event.anchor}) are not accepted, write the value out", event.start_mark
            )
        return super().compose_node(parent, index)


_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
)
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\Z", re.DOTALL)


def plain_value(text: str) -> str | int | float | bool | None:
    """What an unquoted value means: null, true, false, a number, or else text."""
    if text in ("", "~") or text.lower() == "null":
        return None
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.match(text) and len(text) < 20:
        return int(text)
    return float(text) if _FLOAT.match(text) else text


class _Reader:
    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._environment = environment
        self.document = Document({}, places={(): name})

    def mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, location, "a key must be plain text")
                continue
            key = key_node.value
            inner = (*location, key)
            if key in values:
                self._refuse(key_node, inner, f"given twice, first at {self.document.places[inner]}")
                continue
            self.document.places[inner] = self._place(key_node)
            values[key] = self._value(value_node, inner)
        return values

    def _value(self, node: yaml.Node, location: Location) -> Any:
        if node.tag not in _TAGS:
            self._refuse(node, location, f"the tag {node.tag.replace('tag:yaml.org,2002:', '!!')} is not accepted")
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*location, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - YAML has no fourth kind of node
        return self._scalar(node, location)

    def _item(self, node: yaml.Node, location: Location) -> Any:
        self.document.places[location] = self._place(node)
        return self._value(node, location)

    def _scalar(self, node: yaml.ScalarNode, location: Location) -> Any:
        if "${" not in node.value:
            return plain_value(node.value) if node.style is None else node.value
        text = _VARIABLE.sub(lambda match: self._substitute(match, node, location), node.value)
        if text != node.value:
            self.document.substituted.add(location)
        return text

    def _substitute(self, match: re.Match[str], node: yaml.Node, location: Location) -> str:
        if match[0] == "$${":
            return "${"
        named = _NAME.match(match[1] or "")
        if named is None:
            self._refuse(
                node, location, f"{match[0]!r} is not ${{VAR}} or ${{VAR:-default}}", "write $${ for a plain ${"
            )
            return ""
        variable, default = named[1], named[2]
        value = self._environment.get(variable)
        if value or (value is not None and default is None):
            return value
        if default is None:
            self._refuse(
                node, location, f"the environment variable {variable} is not set",
                f"set it, or give a default: ${{{variable}:-…}}",
            )  # fmt: skip
        return default or ""

    def _refuse(self, node: yaml.Node, location: Location, message: str, hint: str = "") -> None:
        self.document.problems.append(Problem(self._place(node), dotted(location), message, hint))

    def _place(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"
