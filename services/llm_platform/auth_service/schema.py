"""Tables of auth-service. Times are integer Unix milliseconds; limits of 0 are none.

``version`` counts the edits of a row and is its ETag. ``change`` (of keys: ``revocation``) is the number of the last
edit that the entries must hear of. ``folded`` is the name as searches compare it, see ``names.py``; the release before
does not write it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()


def _limits() -> list[Column[int]]:
    names = ("requests_per_minute", "tokens_per_minute", "concurrency", "requests_burst", "tokens_burst")
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in names]


organizations = Table(
    "organizations",
    metadata,
    Column("organization_id", String(64), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("folded", String(400), nullable=False),
    *_limits(),
    Column("created_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("change", BigInteger, index=True),
)

teams = Table(
    "teams",
    metadata,
    Column("team_id", String(64), primary_key=True),
    Column("organization_id", String(64), ForeignKey("organizations.organization_id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("folded", String(400), nullable=False),
    *_limits(),
    Column("created_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("change", BigInteger, index=True),
    UniqueConstraint("organization_id", "name", name="uq_teams_name"),
)

users = Table(
    "users",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(16), nullable=False),  # admin or user, for the release before
    Column("password_hash", Text, nullable=False),  # argon2id; empty: cannot log in
    Column("created_at", BigInteger, nullable=False),
    Column("organization_id", String(64), nullable=False, server_default="org_platform", index=True),
    Column("organization_role", String(16)),  # of core/actor.py; null: written by the release before
    Column("kind", String(16), nullable=False, server_default="user"),  # or service_account
    *_limits(),
    Column("folded", String(400)),
    Column("disabled_at", BigInteger),
    Column("deleted_at", BigInteger),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("change", BigInteger, index=True),
    Index("ix_users_created_at", "created_at", "user_id"),
)

team_members = Table(
    "team_members",
    metadata,
    Column("team_id", String(64), ForeignKey("teams.team_id"), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.user_id"), primary_key=True, index=True),
    Column("created_at", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),  # hex HMAC-SHA256 of the whole key under the pepper
    Column("name", String(100), nullable=False),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False, index=True),
    Column("requests_per_minute", BigInteger, nullable=False),
    Column("tokens_per_minute", BigInteger, nullable=False),
    Column("concurrency", BigInteger, nullable=False),
    Column("allowed_models", Text, nullable=False),  # JSON array
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("revocation", BigInteger, index=True),  # its last change's number, a revocation or another
    Column("team_id", String(64), index=True),
    Column("allowed_entries", Text, nullable=False, server_default="[]"),  # JSON array
    Column("ip_ranges", Text, nullable=False, server_default="[]"),  # JSON array
    Column("counted_as", String(32)),  # of a key that replaced another: the id that budgets and limits know it by
    Column("replaced_by", String(32)),
    Column("folded", String(400)),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("requests_burst", BigInteger, nullable=False, server_default="0"),
    Column("tokens_burst", BigInteger, nullable=False, server_default="0"),
    Index("ix_api_keys_created_at", "created_at", "key_id"),
)

# One row. Whoever changes something takes the next number under this row's lock, first of all: so changes are made one
# after the other, and a watcher that has seen n can ask for what is greater than n.
revocation_counter = Table(
    "revocation_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

# At most one row: its primary key is what makes the first admin once, whoever races.
bootstrap = Table(
    "bootstrap",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
