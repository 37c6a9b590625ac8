"""The table of head: revisions of the routing rules. A row never changes. Times are integer Unix milliseconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text

metadata = MetaData()

routing_revisions = Table(
    "routing_revisions",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # 1, 2, 3, … without a gap
    Column("created_at", BigInteger, nullable=False),
    Column("actor_id", String(100), nullable=False),
    Column("actor_name", String(200), nullable=False),
    Column("note", Text, nullable=False),
    Column("source", String(16), nullable=False),  # file, api, restore
    Column("restored", BigInteger),  # of source restore: whose document it has
    Column("digest", String(64), nullable=False),  # SHA-256 of the document
    Column("document", Text, nullable=False),  # JSON of RoutingDocument, every field present
)
