"""Who there is: organisations, teams, users and their keys, and an audit log of what they did."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from bench.dashboards.bulk import Bulk
from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.entry import columns as audit_columns
from llm_platform.core.actor import Actor

WORDS = ("search", "chat", "billing", "Café", "nightly", "import", "report", "agent", "mobile", "étude", "web", "batch")
ROLES = ("developer",) * 8 + ("read_only", "billing_viewer")
DAY_MS = 86_400_000
TEAMS_OF_ORGANIZATION = 5


class KeyOwner(NamedTuple):
    """A key, and whose it is."""

    key_id: str
    user_id: str
    team_id: str
    organization_id: str


@dataclass(frozen=True)
class Size:
    """How many of each there are."""

    organizations: int
    users: int
    keys: int
    audit_entries: int


class Population:
    """``developer`` is the id of a user that is there already, of the first organisation, and gets keys as well."""

    def __init__(self, size: Size, organization: str, developer: str, now_ms: int, chance: random.Random) -> None:
        self._size = size
        self._now_ms = now_ms
        self._chance = chance
        more = [f"org_{number:032x}" for number in range(1, size.organizations)]
        self.organizations = [organization, *more]
        self.teams = {
            each: [self._id("team") for _ in range(TEAMS_OF_ORGANIZATION)] for each in self.organizations
        }  # fmt: skip
        # Some organisations are larger than others.
        weights = [1 / (1 + number) ** 0.7 for number in range(size.organizations)]
        homes = chance.choices(self.organizations, weights, k=size.users)
        self.users = [(developer, organization), *((self._id("usr"), home) for home in homes)]
        self.keys = [self._key() for _ in range(size.keys)]

    async def write(self, accounts: Bulk) -> None:
        """All but the first organisation and the developer."""
        await accounts.insert("organizations", _NAMED.format("organization_id").split(), self._organizations())
        await accounts.insert("teams", [*_NAMED.format("team_id").split(), "organization_id"], self._teams())
        await accounts.insert("users", _USER, self._users())
        members = {(key.team_id, key.user_id) for key in self.keys if key.team_id}
        rows = ((*member, self._now_ms) for member in members)
        await accounts.insert("team_members", ("team_id", "user_id", "created_at"), rows)
        await accounts.insert("api_keys", _KEY, self._keys())

    async def write_audit_log(self, accounts: Bulk) -> None:
        """After the entries that are there already."""
        number = await accounts.value("SELECT number FROM audit_head")
        entries = _AuditLog(number, await accounts.value("SELECT hash FROM audit_head"), self._drafts())
        first = next(iter(entries))
        names = list(first)
        rows = chain([first], entries)
        await accounts.insert("audit_entries", names, ([row[name] for name in names] for row in rows))
        await accounts.run(f"UPDATE audit_head SET number = {entries.number}, hash = '{entries.previous}'")  # noqa: S608

    def _organizations(self) -> Iterator[Sequence[Any]]:
        for number, each in enumerate(self.organizations[1:], 1):
            yield each, f"{self._name()} {number}", f"organisation {number}", self._long_ago(), 1

    def _teams(self) -> Iterator[Sequence[Any]]:
        for organization, teams in self.teams.items():
            for number, each in enumerate(teams):
                name = f"{WORDS[number % len(WORDS)]} team {number}"
                yield each, name, name.casefold(), self._long_ago(), 1, organization

    def _users(self) -> Iterator[Sequence[Any]]:
        for number, (each, organization) in enumerate(self.users[1:]):
            name = f"{self._chance.choice(WORDS)}.user.{number}@example.com"
            role = self._chance.choice(ROLES)
            yield each, name, name.casefold(), "user", role, "", self._long_ago(), organization, "user", 1

    def _keys(self) -> Iterator[Sequence[Any]]:
        step = 400 * DAY_MS // len(self.keys)
        for number, key in enumerate(self.keys):
            made_at = self._now_ms - 400 * DAY_MS + step * number
            name = f"{self._name()} {self._chance.randrange(10_000)}"
            revoked = self._now_ms if self._chance.random() < 0.1 else None
            yield (
                key.key_id, f"{self._chance.getrandbits(256):064x}", name, name.casefold(), key.user_id,
                key.team_id or None, 0, 0, 0, "[]", "[]", "[]", made_at, revoked, 1,
            )  # fmt: skip

    def _drafts(self) -> Iterator[Draft]:
        for _ in range(self._size.audit_entries):
            user, organization = self._chance.choice(self.users)
            key = self._chance.choice(self.keys).key_id
            yield Draft(
                self._chance.choice(("Accounts/CreateKey", "Accounts/UpdateKey", "Sessions/Login", "Ledger/PutBudget")),
                key,
                organization,
                "refused" if self._chance.random() < 0.02 else "ok",
                who=Actor(user, f"user {user[-6:]}", "user", "developer", organization, platform=False),
                at=self._long_ago(),
            )

    def _key(self) -> KeyOwner:
        # A few users, programs, have very many keys.
        user, organization = self.users[int(len(self.users) * self._chance.random() ** 2)]
        team = self._chance.choice(self.teams[organization]) if self._chance.random() < 0.7 else ""
        key_id = "".join(self._chance.choices("abcdefghijklmnopqrstuvwxyz234567", k=16))
        return KeyOwner(key_id, user, team, organization)

    def _name(self) -> str:
        return f"{self._chance.choice(WORDS)} {self._chance.choice(WORDS)}"

    def _long_ago(self) -> int:
        return self._now_ms - self._chance.randrange(400 * DAY_MS)

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._chance.getrandbits(128):032x}"


_NAMED = "{} name folded created_at version"
_USER = (
    "user_id", "name", "folded", "role", "organization_role", "password_hash", "created_at", "organization_id", "kind",
    "version",
)  # fmt: skip
_KEY = (
    "key_id", "digest", "name", "folded", "user_id", "team_id", "requests_per_minute", "tokens_per_minute",
    "concurrency", "allowed_models", "allowed_entries", "ip_ranges", "created_at", "revoked_at", "version",
)  # fmt: skip


class _AuditLog:
    """Entries, chained. ``number`` and ``previous`` are the last one's."""

    def __init__(self, number: int, previous: str, drafts: Iterator[Draft]) -> None:
        self.number = number
        self.previous = previous
        self._drafts = drafts

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for draft in self._drafts:
            self.number += 1
            row = audit_columns(draft, self.number, 0, self.previous)
            self.previous = row["hash"]
            yield row
