"""The catalogue's ``roles``: what people may call through a dashboard.

A right is a role of ``core/actor.py`` (of any organisation), ``platform/ROLE`` (only of the platform's own
organisation), or ``anyone`` (the dashboard calls as itself, before somebody has signed in).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from llm_platform.core.actor import ROLES
from llm_platform.core.catalog.source import Place

ANYONE = "anyone"
OF_THE_PLATFORM = "platform/"
RIGHTS = (ANYONE, *ROLES, *(OF_THE_PLATFORM + role for role in ROLES))


def includes(rights: Iterable[str], role: str, platform: bool) -> bool:
    """Whether whoever has ``role`` is among ``rights``; ``platform``: in the platform's own organisation."""
    return bool(role) and (role in rights or (platform and OF_THE_PLATFORM + role in rights))


def contradictions(
    delegates: Iterable[str], allow: Mapping[str, Iterable[str]], roles: Mapping[str, Iterable[str]]
) -> Iterator[tuple[Place, str]]:
    """What is wrong with the ``roles`` of one service; places are below it."""
    people = frozenset(delegates)
    for method, rights in roles.items():
        listed = list(rights)
        if method not in allow:
            yield ("roles", method), f"{method} is not in allow"
        elif people.isdisjoint(allow[method]):
            yield ("roles", method), "nobody calls it on behalf of people: its callers are not among the delegates"
        for index, right in enumerate(listed):
            if right not in RIGHTS:
                yield ("roles", method, index), f"unknown role {right!r}; there are {', '.join(RIGHTS)}"
        if ANYONE in listed and len(listed) > 1:
            yield ("roles", method), f"{ANYONE} stands alone"
    for method, callers in allow.items():
        if method not in roles and (speaking := people.intersection(callers)):
            yield (
                ("allow", method),
                f"{', '.join(sorted(speaking))} may call it for people: name in roles which of them may, or []",
            )
