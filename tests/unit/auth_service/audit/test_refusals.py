"""Refusals in the audit log: each kind once a minute with its count, however many come."""

from __future__ import annotations

import pytest

from llm_platform.auth_service.audit.entry import NOBODY, Draft
from llm_platform.auth_service.audit.refusals import MOST, Refusals
from llm_platform.core.actor import Actor, actor
from llm_platform.core.errors import Code, PlatformError


class Log:
    """Takes entries, or fails."""

    def __init__(self) -> None:
        self.entries: list[Draft] = []
        self.down = False

    async def write(self, *drafts: Draft) -> None:
        if self.down:
            raise PlatformError(Code.UNAVAILABLE, "down")
        self.entries += drafts


@pytest.fixture
def log() -> Log:
    return Log()


def refused(target: str = "", reason: str = "unknown") -> Draft:
    return Draft("Accounts/Authenticate", target=target, result="refused", reason=reason, who=NOBODY)


async def test_the_same_refusal_is_written_once_with_how_often(log: Log) -> None:
    refusals = Refusals(log.write)
    async with refusals.running():
        for _ in range(1_000):
            refusals.note(refused("k1"))
        refusals.note(refused("k1", "revoked"))
    assert [(entry.target, entry.reason, entry.repeated) for entry in log.entries] == [
        ("k1", "unknown", 1_000),
        ("k1", "revoked", 1),
    ]
    assert {entry.result for entry in log.entries} == {"refused"}


@pytest.mark.case(26)
async def test_a_flood_of_different_refusals_is_counted_and_bounded(log: Log) -> None:
    refusals = Refusals(log.write)
    for number in range(10_000):
        refusals.note(refused(f"k{number}"))
    await refusals.flush()
    assert len(log.entries) == MOST + 1
    assert sum(entry.repeated for entry in log.entries) == 10_000
    await refusals.flush()
    assert len(log.entries) == MOST + 1


async def test_what_cannot_be_written_is_kept_and_counted_on(log: Log) -> None:
    refusals = Refusals(log.write)
    log.down = True
    for _ in range(3):
        refusals.note(refused("k1"))
        await refusals.flush()
    log.down = False
    await refusals.flush()
    assert [entry.repeated for entry in log.entries] == [3]


async def test_who_was_refused_is_whoever_acted_then(log: Log) -> None:
    refusals = Refusals(log.write)
    for name in ("zoe", "ada", "zoe"):
        before = actor.set(Actor(name, name, "user", "developer", "org_1", platform=False))
        refusals.note(Draft("Accounts/CreateUser", result="refused"))
        actor.reset(before)
    await refusals.flush()
    assert [(entry.who.id, entry.repeated) for entry in log.entries if entry.who] == [("zoe", 2), ("ada", 1)]
