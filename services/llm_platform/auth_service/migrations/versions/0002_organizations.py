"""Organisations, teams and their members; what users and keys may, and the order of every change that the entries see.

The release before runs on the schema after this: what it does not know has defaults, and ``users.role`` keeps its two
words beside the new ``organization_role``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PLATFORM = "org_platform"


def _limits() -> "list[sa.Column[int]]":
    names = ("requests_per_minute", "tokens_per_minute", "concurrency")
    return [sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in names]


def upgrade() -> None:
    organizations = op.create_table(
        "organizations",
        sa.Column("organization_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        sa.Column("folded", sa.String(400), nullable=False),
        *_limits(),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("change", sa.BigInteger),
    )
    op.create_index("ix_organizations_change", "organizations", ["change"])
    op.bulk_insert(
        organizations, [{"organization_id": _PLATFORM, "name": "platform", "folded": "platform", "created_at": 0}]
    )
    op.create_table(
        "teams",
        sa.Column("team_id", sa.String(64), primary_key=True),
        sa.Column(
            "organization_id", sa.String(64), sa.ForeignKey("organizations.organization_id"), nullable=False, index=True
        ),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("folded", sa.String(400), nullable=False),
        *_limits(),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("change", sa.BigInteger),
        sa.UniqueConstraint("organization_id", "name", name="uq_teams_name"),
    )
    op.create_index("ix_teams_change", "teams", ["change"])
    op.create_table(
        "team_members",
        sa.Column("team_id", sa.String(64), sa.ForeignKey("teams.team_id"), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.user_id"), primary_key=True, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    _extend_users()
    _extend_keys()


def _extend_users() -> None:
    # Without a foreign key: SQLite adds no column that has one and a default.
    op.add_column("users", sa.Column("organization_id", sa.String(64), nullable=False, server_default=_PLATFORM))
    op.add_column("users", sa.Column("organization_role", sa.String(16)))
    op.add_column("users", sa.Column("kind", sa.String(16), nullable=False, server_default="user"))
    for column in _limits():
        op.add_column("users", column)
    op.add_column("users", sa.Column("folded", sa.String(400)))
    op.add_column("users", sa.Column("disabled_at", sa.BigInteger))
    op.add_column("users", sa.Column("deleted_at", sa.BigInteger))
    op.add_column("users", sa.Column("version", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("users", sa.Column("change", sa.BigInteger))
    op.create_index("ix_users_organization_id", "users", ["organization_id"])
    op.create_index("ix_users_change", "users", ["change"])
    if op.get_bind().dialect.name == "postgresql":
        # Pages are in the order of the characters' numbers, as on SQLite; the server's own order is another.
        op.execute('CREATE INDEX ix_users_name_c ON users (name COLLATE "C")')


def _extend_keys() -> None:
    op.add_column("api_keys", sa.Column("team_id", sa.String(64)))
    op.add_column("api_keys", sa.Column("allowed_entries", sa.Text, nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("ip_ranges", sa.Text, nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("counted_as", sa.String(32)))
    op.add_column("api_keys", sa.Column("replaced_by", sa.String(32)))
    op.add_column("api_keys", sa.Column("folded", sa.String(400)))
    op.add_column("api_keys", sa.Column("version", sa.BigInteger, nullable=False, server_default="1"))
    op.create_index("ix_api_keys_team_id", "api_keys", ["team_id"])
    op.create_index("ix_api_keys_created_at", "api_keys", ["created_at", "key_id"])
