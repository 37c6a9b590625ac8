"""Tables that follow from the entries, or say where entries have gone. Units as in ``schema``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from llm_platform.billing.schema import USAGE_COLUMNS, metadata

usage_rollups = Table(
    "usage_rollups",
    metadata,
    Column("grain", BigInteger, primary_key=True, autoincrement=False),  # its length in microseconds
    Column("starts_at", BigInteger, primary_key=True, autoincrement=False),
    Column("organization_id", Text, primary_key=True),
    Column("team_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),  # provider calls
    Column("cost", BigInteger, nullable=False),
    Column("adjusted", BigInteger, nullable=False),  # the part of the cost that adjust entries made
    *(Column(name, BigInteger, nullable=False) for name in USAGE_COLUMNS),
    Index("ix_usage_rollups_key_id", "key_id", "grain", "starts_at"),
    Index("ix_usage_rollups_user_id", "user_id", "grain", "starts_at"),
    Index("ix_usage_rollups_team_id", "team_id", "grain", "starts_at"),
)
"""Sums of the entries up to ``usage_progress`` that cost something, by the time they were booked."""

usage_progress = Table(
    "usage_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
)
"""One row: the last entry in ``usage_rollups``."""

usage_summaries = Table(
    "usage_summaries",
    metadata,
    Column("kept", Text, primary_key=True),  # the dimensions that it has; the others are empty
    Column("grain", BigInteger, primary_key=True, autoincrement=False),
    Column("starts_at", BigInteger, primary_key=True, autoincrement=False),
    Column("organization_id", Text, primary_key=True),
    Column("team_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("adjusted", BigInteger, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in USAGE_COLUMNS),
    sqlite_with_rowid=False,  # rows of a time lie together
)
"""The same of fewer dimensions (``usage/summaries.py``), of the entries up to ``summary_progress``."""

summary_progress = Table(
    "summary_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),  # never after that of usage_progress
    # Roll-ups from before are in no summary yet; 0: all are.
    Column("summarised_from", BigInteger, nullable=False),
)
"""One row: the last entry in ``usage_summaries``."""

resolutions = Table(
    "resolutions",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    Column("reservation_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("adjusted", BigInteger, nullable=False),  # by all its adjust entries
    Column("revision", Integer, nullable=False),  # how many they are
    Column("source", Text, nullable=False),  # of the last one: export, absent
    Column("resolved_at", BigInteger, nullable=False),
)
"""Attempts that were held against the provider's own books."""

archived_usage = Table(
    "archived_usage",
    metadata,
    Column("starts_at", BigInteger, primary_key=True, autoincrement=False),
    Column("key_id", Text, primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("team_id", Text, primary_key=True),
    Column("organization_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("adjusted", BigInteger, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in USAGE_COLUMNS),
)
"""What removed entries add up to, by the quarter of an hour in which their calls were reserved: days and months of
every time zone begin with one, so that it says what each window of a budget has seen. ``Ledger.verify`` adds it to
the entries."""

retention = Table(
    "retention",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("archived_to", BigInteger, nullable=False),  # entries up to this one are in an archive; 0: none
    Column("examined_to", BigInteger, nullable=False),  # up to here those that could go have gone
    Column("removed", BigInteger, nullable=False),  # entries, ever
    # Nothing that was sent later is among the entries up to archived_to; 0: nothing was archived.
    Column("removed_before", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),  # of the entries that were confirmed last
    Column("confirmed_at", BigInteger, nullable=False),
    Column("confirmed_by", Text, nullable=False),
)
"""One row: how far the ledger is archived and removed."""

removals = Table("removals", metadata, Column("sequence", BigInteger, primary_key=True, autoincrement=False))
"""The entries that the transaction under way removes: the only ones that the database lets go."""
