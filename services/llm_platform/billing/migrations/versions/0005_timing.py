"""When a provider call was sent, how long it took, and the provider's own id of it.

The release before leaves them empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("sent_at", "first_byte_us", "duration_us"):
        op.add_column("entries", sa.Column(name, sa.BigInteger, nullable=True))
    op.add_column("entries", sa.Column("provider_request_id", sa.Text, nullable=False, server_default=sa.text("''")))
    known = sa.text("provider_request_id != ''")
    op.create_index(
        "ix_entries_provider_request_id",
        "entries",
        ["provider_request_id"],
        sqlite_where=known,
        postgresql_where=known,
    )
