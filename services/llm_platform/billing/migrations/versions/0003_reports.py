"""Roll-ups of usage, what reconciliation has resolved, and indexes to read costs by time."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MEASURES = (
    "requests",
    "cost",
    "adjusted",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
)
DIMENSIONS = ("organization_id", "team_id", "user_id", "key_id", "provider", "model")


def upgrade() -> None:
    costs = sa.text("kind IN ('settle', 'adjust')")
    uncertain = sa.text("certainty = 'uncertain'")
    op.create_index(
        "ix_entries_costs", "entries", ["created_at", "sequence"], sqlite_where=costs, postgresql_where=costs
    )
    op.create_index("ix_entries_uncertain", "entries", ["sequence"], sqlite_where=uncertain, postgresql_where=uncertain)
    op.create_table(
        "usage_rollups",
        sa.Column("grain", sa.BigInteger, autoincrement=False),
        sa.Column("starts_at", sa.BigInteger, autoincrement=False),
        *(sa.Column(name, sa.Text) for name in DIMENSIONS),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in MEASURES),
        sa.PrimaryKeyConstraint("grain", "starts_at", *DIMENSIONS, name="pk_usage_rollups"),
    )
    op.create_table(
        "usage_progress",
        sa.Column("id", sa.Integer, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_usage_progress"),
    )
    op.execute("INSERT INTO usage_progress (id, sequence) VALUES (1, 0)")
    op.create_table(
        "resolutions",
        sa.Column("attempt_id", sa.Text),
        sa.Column("reservation_id", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("adjusted", sa.BigInteger, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("resolved_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", name="pk_resolutions"),
    )
