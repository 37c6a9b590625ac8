"""Summaries of usage, and indexes to find roll-ups of a key, a user or a team.

Billing makes the summaries of the roll-ups there are some hours at a time while it runs (usage/rollups.py), and of what
the release before goes on rolling up.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NEVER = 2**62
DIMENSIONS = ("organization_id", "team_id", "user_id", "key_id", "provider", "model")
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


def upgrade() -> None:
    op.create_table(
        "usage_summaries",
        sa.Column("kept", sa.Text),
        sa.Column("grain", sa.BigInteger, autoincrement=False),
        sa.Column("starts_at", sa.BigInteger, autoincrement=False),
        *(sa.Column(name, sa.Text) for name in DIMENSIONS),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in MEASURES),
        sa.PrimaryKeyConstraint("kept", "grain", "starts_at", *DIMENSIONS, name="pk_usage_summaries"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "summary_progress",
        sa.Column("id", sa.Integer, autoincrement=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("summarised_from", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_summary_progress"),
    )
    op.execute(
        f"INSERT INTO summary_progress (id, sequence, summarised_from) SELECT 1, sequence, {NEVER} FROM usage_progress"  # noqa: S608
    )
    for name in ("key_id", "user_id", "team_id"):
        op.create_index(f"ix_usage_rollups_{name}", "usage_rollups", [name, "grain", "starts_at"])
