"""Where the catalogue's entries stand in its file, and how a problem with one is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import yaml

Place = tuple[str | int, ...]
"""Keys and indexes from the root to an entry."""


class Problem(NamedTuple):
    """One reason to refuse the catalogue."""

    place: str  # file:line: dotted path
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


class CatalogError(Exception):
    """The catalogue is refused, with every problem found in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Source:
    """Where in the file each entry stands."""

    def __init__(self, name: str, root: yaml.Node | None) -> None:
        self._name = name
        self._lines: dict[Place, int] = {}
        self.repeated: list[Place] = []
        if root is not None:
            self._note(root, ())

    def problem(self, place: Place, reason: str) -> Problem:
        known = place
        while known and known not in self._lines:
            known = known[:-1]
        line = self._lines.get(known, 1)
        dotted = ".".join(str(part) for part in place if part != "[key]")
        return Problem(f"{self._name}:{line}: {dotted}" if dotted else f"{self._name}:{line}", reason)

    def _note(self, node: yaml.Node, place: Place) -> None:
        self._lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*place, key.value)
                if inner in self._lines:
                    self.repeated.append(inner)
                self._lines[inner] = key.start_mark.line + 1
                self._note(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._note(value, (*place, index))
