"""Tables that follow from the entries, or say where entries have gone. Units as in ``schema``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

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
)
"""Sums of the entries up to ``usage_progress`` that cost something, by the time they were booked."""

usage_progress = Table(
    "usage_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
)
"""One row: the last entry in ``usage_rollups``."""

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
