"""Archived entries may be removed: how far, which ones, and what they add up to.

The release before never deletes an entry, so that it does not notice who may.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DIMENSIONS = ("key_id", "user_id", "team_id", "organization_id", "model")
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
        "archived_usage",
        sa.Column("starts_at", sa.BigInteger, autoincrement=False),
        *(sa.Column(name, sa.Text) for name in DIMENSIONS),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in MEASURES),
        sa.PrimaryKeyConstraint("starts_at", *DIMENSIONS, name="pk_archived_usage"),
    )
    op.create_table(
        "retention",
        sa.Column("id", sa.Integer, autoincrement=False),
        sa.Column("archived_to", sa.BigInteger, nullable=False),
        sa.Column("examined_to", sa.BigInteger, nullable=False),
        sa.Column("removed", sa.BigInteger, nullable=False),
        sa.Column("removed_before", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger, nullable=False),
        sa.Column("confirmed_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_retention"),
    )
    op.execute("INSERT INTO retention VALUES (1, 0, 0, 0, 0, '', 0, '')")
    op.create_table(
        "removals",
        sa.Column("sequence", sa.BigInteger, autoincrement=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_removals"),
    )
    let_archived_entries_go()


def let_archived_entries_go() -> None:
    """Only those that were named in ``removals`` before, and are archived. Nothing else may be deleted or changed."""
    named = (
        "EXISTS (SELECT 1 FROM removals, retention "
        "WHERE removals.sequence = OLD.sequence AND retention.id = 1 AND OLD.sequence <= retention.archived_to)"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER entries_append_only ON entries")
        op.execute(
            "CREATE TRIGGER entries_append_only BEFORE UPDATE OR TRUNCATE ON entries "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE FUNCTION refuse_entry_removal() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {named} THEN RETURN OLD; END IF; RAISE EXCEPTION 'entries are append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER entries_removal BEFORE DELETE ON entries "
            "FOR EACH ROW EXECUTE FUNCTION refuse_entry_removal()"
        )
        return
    op.execute("DROP TRIGGER entries_append_only_delete")
    op.execute(
        f"CREATE TRIGGER entries_append_only_delete BEFORE DELETE ON entries WHEN NOT {named} "
        "BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END"
    )
