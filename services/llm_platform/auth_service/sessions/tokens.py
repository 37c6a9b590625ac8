"""The tokens of sessions: opaque, 256 random bits; kept is only their keyed hash."""

from __future__ import annotations

import hmac
import secrets

PREFIX = "llmses-"
_LENGTH = len(PREFIX) + 43


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest(pepper: bytes, token: str) -> str:
    """Hex HMAC-SHA256; empty for what cannot be a token."""
    if len(token) != _LENGTH or not token.isascii() or not token.startswith(PREFIX):
        return ""
    return hmac.digest(pepper, b"session " + token.encode("ascii"), "sha256").hex()
