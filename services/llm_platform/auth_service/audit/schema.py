"""Tables of the audit log. Times are integer Unix milliseconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from llm_platform.auth_service.schema import metadata

# Append-only: triggers refuse to change or delete (migration 0003).
audit_entries = Table(
    "audit_entries",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", String(64), nullable=False, unique=True),  # its writer's: a second delivery adds nothing
    Column("at", BigInteger, nullable=False, index=True),
    Column("service", String(64), nullable=False),  # who wrote it
    Column("actor_id", String(100), nullable=False),
    Column("actor_name", String(200), nullable=False),
    Column("actor_kind", String(20), nullable=False),
    Column("actor_role", String(20), nullable=False),
    Column("organization_id", String(64), nullable=False),
    Column("action", String(100), nullable=False),
    Column("target", String(300), nullable=False),
    Column("result", String(16), nullable=False),  # ok, refused, failed
    Column("reason", String(500), nullable=False),
    Column("request_id", String(100), nullable=False),
    Column("source", String(100), nullable=False),  # the address it was asked from
    Column("details", Text, nullable=False),  # canonical JSON object
    Column("repeated", BigInteger, nullable=False),  # how many like it this stands for
    Column("previous", String(64), nullable=False),  # hex SHA-256: the hash of the entry before
    Column("hash", String(64), nullable=False),
    Index("ix_audit_entries_organization_id_number", "organization_id", "number"),
    Index("ix_audit_entries_actor_id_number", "actor_id", "number"),
    Index("ix_audit_entries_action_number", "action", "number"),
)

# One row, the newest entry. Appending changes it first: its lock makes one order of all processes' entries.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
