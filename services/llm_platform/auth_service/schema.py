"""Tables of auth-service. Times are integer Unix milliseconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Table, Text

metadata = MetaData()

users = Table(
    "users",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),  # argon2id; empty: cannot log in
    Column("created_at", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),  # hex HMAC-SHA256 of the whole key under the pepper
    Column("name", String(100), nullable=False),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False, index=True),
    Column("requests_per_minute", BigInteger, nullable=False),
    Column("tokens_per_minute", BigInteger, nullable=False),
    Column("concurrency", BigInteger, nullable=False),
    Column("allowed_models", Text, nullable=False),  # JSON array
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("revocation", BigInteger, index=True),  # its number in the order of revocations
)

# One row. Revoking takes the next number under this row's lock, so numbers become visible in order and a
# watcher that has seen n can ask for what is greater than n.
revocation_counter = Table(
    "revocation_counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

# At most one row: its primary key is what makes the first admin once, whoever races.
bootstrap = Table(
    "bootstrap",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("user_id", String(64), ForeignKey("users.user_id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
