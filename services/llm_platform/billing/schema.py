"""The ledger's tables. Amounts are nano-dollars in 64 bits, times microseconds since 1970 in UTC.

``entries`` is the truth and only ever grows (triggers refuse changes). ``reservations`` holds what is
open now and ``balances`` the sums per key; both are written in the transaction of the entries they
follow from, and ``Ledger.verify`` derives them again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    cast,
    func,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

entries = Table(
    "entries",
    metadata,
    # SQLite numbers rows by itself only for its own INTEGER.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # reserve, settle, release, adjust
    # settle: the attempt; reserve, release: the reservation; adjust: an id of its own.
    Column("reference", Text, nullable=False),
    Column("reservation_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("certainty", Text, nullable=False),  # settle: exact, estimated, uncertain
    Column("result", Text, nullable=False),  # settle: the outcome's; release: settled, released, expired
    Column("status", Integer, nullable=False),  # settle: the provider's HTTP status, 0: none
    Column("price_revision", Text, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("input_audio_tokens", BigInteger, nullable=False),
    Column("output_audio_tokens", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("team_id", Text, nullable=False, server_default=text("''")),
    Column("organization_id", Text, nullable=False, server_default=text("''")),
    # When the call was reserved: the windows of budgets it belongs to. Null: written by the release before.
    Column("reserved_at", BigInteger, nullable=True),
    # settle: how the provider call went. Empty where nobody knows; then archives leave them out (records.py).
    Column("sent_at", BigInteger, nullable=True),  # by the clock of model-proxy
    Column("first_byte_us", BigInteger, nullable=True),  # from then to the first part of the answer
    Column("duration_us", BigInteger, nullable=True),  # from then to the end
    Column("provider_request_id", Text, nullable=False, server_default=text("''")),
    UniqueConstraint("reference", "kind"),
    Index("ix_entries_request_id", "request_id"),
    # The migration makes it partial on PostgreSQL as well; to say so here would load that dialect everywhere.
    Index("ix_entries_usage", "key_id", "created_at", sqlite_where=text("kind IN ('settle', 'adjust')")),
    Index("ix_entries_costs", "created_at", "sequence", sqlite_where=text("kind IN ('settle', 'adjust')")),
    Index("ix_entries_uncertain", "sequence", sqlite_where=text("certainty = 'uncertain'")),
    Index("ix_entries_provider_request_id", "provider_request_id", sqlite_where=text("provider_request_id != ''")),
    # A sequence number is never given twice, not even after the last row was lost with the disk.
    sqlite_autoincrement=True,
)

USAGE_COLUMNS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
)
"""The columns of ``entries`` that carry the fields of the same names of ``llm.v1.Usage``."""

reservations = Table(
    "reservations",
    metadata,
    Column("reservation_id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),  # by attempts that were not the last
    Column("expires_at", BigInteger, nullable=False),
    Column("team_id", Text, nullable=False, server_default=text("''")),
    Column("organization_id", Text, nullable=False, server_default=text("''")),
    Column("reserved_at", BigInteger, nullable=True),  # as in entries
    Index("ix_reservations_expires_at", "expires_at"),
)

balances = Table(
    "balances",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("budget", BigInteger, nullable=True),  # null: none
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("budget_id", Text, primary_key=True),
    Column("scope", Text, nullable=False),  # key, user, team, organization
    Column("scope_id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),  # only calls of it count; empty: any
    Column("period", Text, nullable=False),  # total, daily, monthly
    Column("enforcement", Text, nullable=False),  # hard: refuses; soft: notifies
    Column("amount", BigInteger, nullable=False),
    Column("time_zone", Text, nullable=False),  # IANA
    Column("thresholds", Text, nullable=False),  # percentages, ascending, with commas
    Column("counted_from", BigInteger, nullable=False),  # the beginning of its first window
    Column("version", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("updated_by", Text, nullable=False),
    UniqueConstraint("scope_id", "scope", "period", "enforcement", "organization_id"),
)
"""The budgets beside the one of a key in total, whose amount is in ``balances`` (the release before enforces it too)
and which is here as well when it has thresholds."""

budget_windows = Table(
    "budget_windows",
    metadata,
    Column("window_id", Text, primary_key=True),  # <budget_id>/<starts_at>
    Column("budget_id", Text, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),  # exclusive
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Index("ix_budget_windows_budget_id", "budget_id", "starts_at"),
)
"""What calls that were reserved within a window have spent and hold."""

unposted = Table("unposted", metadata, Column("sequence", BigInteger, primary_key=True, autoincrement=False))
"""Entries of the release before that are not in ``budget_windows`` yet; a trigger writes it."""

notifications = Table(
    "notifications",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("budget_id", Text, nullable=False),
    Column("window_id", Text, nullable=False),
    Column("threshold", Integer, nullable=False),
    Column("body", Text, nullable=False),  # the JSON that is sent
    Column("state", Text, nullable=False),  # pending, delivered, dead
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),  # of the last failure
    UniqueConstraint("window_id", "threshold"),
    Index("ix_notifications_state", "state", "due_at"),
)
"""The outbox of thresholds that were passed: one row for each window and threshold, ever."""

probes = Table(
    "probes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
)
"""One row, written to find out whether the database takes writes again after it failed to."""


def total(column: ColumnElement[Any]) -> ColumnElement[int]:
    """The sum of a column, 0 of none; in 64 bits, where PostgreSQL sums bigint as numeric."""
    return cast(func.coalesce(func.sum(column), 0), BigInteger)
