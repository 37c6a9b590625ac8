"""The rows of the ledger's tables, as its rules see them. Amounts are nano-dollars, times microseconds since 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec


class Scopes(NamedTuple):
    """Whose call it is, as budgets see it; empty: nobody's."""

    key_id: str
    user_id: str
    team_id: str
    organization_id: str


class UsageCounts(NamedTuple):
    """The usage columns of an entry, in their order."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0


class Course(NamedTuple):
    """How a provider call went: the last columns of its settle entry. None and empty: not known, or it never came so
    far."""

    sent_at: int | None = None
    """By the clock of model-proxy."""
    first_byte_us: int | None = None
    duration_us: int | None = None
    provider_request_id: str = ""


UNKNOWN_COURSE = Course()


class EntryRow(NamedTuple):
    """A row of ``entries``, without its sequence, in the order of the columns."""

    kind: str
    reference: str
    reservation_id: str
    request_id: str
    key_id: str
    user_id: str
    provider: str
    model: str
    amount: int
    certainty: str
    result: str
    status: int
    price_revision: str
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    created_at: int
    team_id: str
    organization_id: str
    reserved_at: int | None
    sent_at: int | None = None
    first_byte_us: int | None = None
    duration_us: int | None = None
    provider_request_id: str = ""


def archived_form(row: Mapping[Any, Any]) -> bytes:
    """A row of ``entries`` as archives have it: JSON, the same bytes at all times. Archives are older than the columns
    of ``Course``: while those are empty they are not in it."""
    return msgspec.json.encode({name: value for name, value in row.items() if value or name not in _LATER})


_LATER = frozenset(Course._fields)


@dataclass(slots=True)
class Hold:
    """An open reservation: a row of ``reservations``."""

    reservation_id: str
    request_id: str
    key_id: str
    user_id: str
    provider: str
    model: str
    amount: int
    settled: int
    """By its attempts so far."""
    expires_at: int
    team_id: str = ""
    organization_id: str = ""
    reserved_at: int | None = None
    """None: by the release before, which posts to no budget's window; the sweep does it (store.py)."""

    @property
    def scopes(self) -> Scopes:
        return Scopes(self.key_id, self.user_id, self.team_id, self.organization_id)

    def row(self) -> tuple[str, str, str, str, str, str, int, int, int, str, str, int | None]:
        """In the order of the columns."""
        return (
            self.reservation_id,
            self.request_id,
            self.key_id,
            self.user_id,
            self.provider,
            self.model,
            self.amount,
            self.settled,
            self.expires_at,
            self.team_id,
            self.organization_id,
            self.reserved_at,
        )


class Reserved(NamedTuple):
    """What a reserve entry says."""

    amount: int
    user_id: str
    team_id: str
    organization_id: str
    reserved_at: int | None

    def scopes(self, key_id: str) -> Scopes:
        return Scopes(key_id, self.user_id, self.team_id, self.organization_id)

    @classmethod
    def of(cls, hold: Hold) -> Reserved:
        return cls(hold.amount, hold.user_id, hold.team_id, hold.organization_id, hold.reserved_at)


@dataclass(slots=True)
class Balance:
    """A row of ``balances``, and what the transaction adds to it."""

    budget: int | None
    spent: int
    reserved: int
    spent_change: int = 0
    reserved_change: int = 0

    def spend(self, amount: int) -> None:
        self.spent += amount
        self.spent_change += amount

    def reserve(self, amount: int) -> None:
        self.reserved += amount
        self.reserved_change += amount
