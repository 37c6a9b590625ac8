"""Users are listed newest first.

The release before must run on the schema after this: add, never rename or drop.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_users_created_at", "users", ["created_at", "user_id"])
