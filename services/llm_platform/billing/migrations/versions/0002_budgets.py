"""Budgets of keys, users, teams and organisations, their windows, and the outbox of their notifications.

The release before goes on writing on this schema: its entries have no ``reserved_at``, by which a trigger notes them in
``unposted``; billing posts them to the windows of budgets afterwards (posting.py).
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("entries", "reservations"):
        for name in ("team_id", "organization_id"):
            op.add_column(table, sa.Column(name, sa.Text, nullable=False, server_default=sa.text("''")))
        op.add_column(table, sa.Column("reserved_at", sa.BigInteger, nullable=True))
    op.create_table(
        "budgets",
        sa.Column("budget_id", sa.Text),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("scope_id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("enforcement", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("thresholds", sa.Text, nullable=False),
        sa.Column("counted_from", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("updated_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("budget_id", name="pk_budgets"),
        sa.UniqueConstraint(
            "scope_id", "scope", "period", "enforcement", "organization_id", name="uq_budgets_scope_id"
        ),
    )
    op.create_table(
        "budget_windows",
        sa.Column("window_id", sa.Text),
        sa.Column("budget_id", sa.Text, nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("window_id", name="pk_budget_windows"),
    )
    op.create_index("ix_budget_windows_budget_id", "budget_windows", ["budget_id", "starts_at"])
    op.create_table(
        "unposted",
        sa.Column("sequence", sa.BigInteger, autoincrement=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_unposted"),
    )
    op.create_table(
        "notifications",
        sa.Column("event_id", sa.Text),
        sa.Column("budget_id", sa.Text, nullable=False),
        sa.Column("window_id", sa.Text, nullable=False),
        sa.Column("threshold", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_notifications"),
        sa.UniqueConstraint("window_id", "threshold", name="uq_notifications_window_id"),
    )
    op.create_index("ix_notifications_state", "notifications", ["state", "due_at"])
    note_what_the_release_before_writes()


def note_what_the_release_before_writes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION note_unposted() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO unposted (sequence) VALUES (NEW.sequence); RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER entries_unposted AFTER INSERT ON entries "
            "FOR EACH ROW WHEN (NEW.reserved_at IS NULL) EXECUTE FUNCTION note_unposted()"
        )
        return
    op.execute(
        "CREATE TRIGGER entries_unposted AFTER INSERT ON entries WHEN NEW.reserved_at IS NULL "
        "BEGIN INSERT INTO unposted (sequence) VALUES (NEW.sequence); END"
    )
