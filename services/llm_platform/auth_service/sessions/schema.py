"""Tables of signing in. Times are integer Unix milliseconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, Text

from llm_platform.auth_service.schema import metadata

# Whoever makes a new key takes the next number: of two processes that do at once, one succeeds.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("key_id", String(64), nullable=False, unique=True),
    Column("public", Text, nullable=False),  # JWK, JSON
    Column("sealed", Text, nullable=False),  # the private JWK, sealed under the pepper
    Column("created_at", BigInteger, nullable=False),
    Column("withdrawn_at", BigInteger),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),  # hex HMAC-SHA256 of the token under the pepper
    Column("user_id", String(64), nullable=False, index=True),
    Column("method", String(16), nullable=False),  # password, oidc
    Column("source", String(64), nullable=False),  # the address it was begun from
    Column("client", String(200), nullable=False),  # what the browser calls itself
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("ended_at", BigInteger),
    Column("end_reason", String(32)),
)

# What is known of a user's password beside its hash. No row: the user chose it, without a limit in time.
password_states = Table(
    "password_states",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("must_change", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),  # of a password that is for one login
)

# Failed logins, of an account (by name, existing or not) or of a source (by address).
login_failures = Table(
    "login_failures",
    metadata,
    Column("subject", String(64), primary_key=True),  # hex HMAC-SHA256 under the pepper: what people type may be secret
    Column("failures", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False, index=True),
    Column("locked_until", BigInteger, nullable=False),
)

# Who somebody is at an identity provider: only issuer and subject identify, not the address of mail.
identities = Table(
    "identities",
    metadata,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("user_id", String(64), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
)

# Logins under way at an identity provider; each is taken once.
oidc_flows = Table(
    "oidc_flows",
    metadata,
    Column("state", String(64), primary_key=True),  # hex SHA-256
    Column("sealed", Text, nullable=False),  # nonce and verifier, sealed under the pepper
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_oidc_flows_expires_at", "expires_at"),
)
