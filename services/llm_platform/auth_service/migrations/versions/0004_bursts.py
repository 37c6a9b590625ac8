"""How much of a limit may come at once; 0: a full minute's.

The release before must run on the schema after this: add, never rename or drop.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("api_keys", "users", "teams", "organizations"):
        for name in ("requests_burst", "tokens_burst"):
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
