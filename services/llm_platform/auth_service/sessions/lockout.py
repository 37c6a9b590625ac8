"""How failed logins slow down whoever guesses: by account, and by the address they come from.

An attempt is counted *before* the password is checked and taken back when it was right, so attempts at the same time
do not slip through. Accounts are counted by the name that was typed, existing or not: the answers are the same.
"""

from __future__ import annotations

import hmac
from typing import Literal, NamedTuple

FIRST_LOCK_SECONDS = 30
LONGEST_LOCK_SECONDS = 900
FORGET_SECONDS = 86_400
"""Failures older than that do not count any more."""

Kind = Literal["account", "source"]


class Subject(NamedTuple):
    """Whose failures are counted."""

    kind: Kind
    key: str
    free: int
    """How many failures are without consequence."""


class Failures(NamedTuple):
    """What is known of a subject. Times are Unix milliseconds."""

    number: int = 0
    last_at: int = 0
    locked_until: int = 0


def subjects(pepper: bytes, name: str, address: str, free: int, free_of_source: int) -> list[Subject]:
    """The account, and the address unless it is not known."""
    found = [Subject("account", _key(pepper, "account", name.casefold()), free)]
    if address:
        found.append(Subject("source", _key(pepper, "source", address), free_of_source))
    return found


def one_more(known: Failures, free: int, now_ms: int) -> Failures:
    """After one more attempt. From the ``free``-th on each locks for twice as long as the one before."""
    count = 1 if now_ms - known.last_at > FORGET_SECONDS * 1000 else known.number + 1
    if count < free:
        return Failures(count, now_ms, 0)
    seconds = min(FIRST_LOCK_SECONDS * 2 ** min(count - free, 16), LONGEST_LOCK_SECONDS)
    return Failures(count, now_ms, now_ms + seconds * 1000)


def _key(pepper: bytes, kind: str, value: str) -> str:
    """What people type as a name may be their password: it is not kept readable."""
    return hmac.digest(pepper, f"login {kind} {value}".encode("utf-8", "surrogatepass"), "sha256").hex()
