"""API keys: how they look, how they are made, what is kept of them.

    sk-llm-<key id>-<secret>

The id (16 characters of base32, 80 random bits) finds the row and may be shown; the secret (43 characters
of base62, 256 random bits) exists in full only at its owner's. Kept is HMAC-SHA256 of the whole key under
the pepper, which lies outside the database: a copy of the database alone neither is a credential nor
can be searched for one. The secret has full entropy, so a slow hash would add nothing.
"""

from __future__ import annotations

import hmac
import secrets
from typing import NamedTuple

PREFIX = "sk-llm-"

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 16
_SECRET_LENGTH = 43  # 62^43 > 2^256
_LENGTH = len(PREFIX) + _ID_LENGTH + 1 + _SECRET_LENGTH


class NewKey(NamedTuple):
    """A key just made. ``text`` is shown once and not kept."""

    key_id: str
    text: str


def new_key() -> NewKey:
    key_id = _random(_BASE32, _ID_LENGTH)
    return NewKey(key_id, f"{shown(key_id)}-{_random(_BASE62, _SECRET_LENGTH)}")


def shown(key_id: str) -> str:
    """What may be shown of the key."""
    return PREFIX + key_id


def is_well_formed(text: str) -> bool:
    """Whether it can be a key of this platform at all; anything else need not be looked up."""
    return len(text) == _LENGTH and text.isascii() and text.startswith(PREFIX)


def key_id_of(text: str) -> str:
    """The id inside a key or inside its shown prefix; empty when there is none."""
    if not text.startswith(PREFIX):
        return ""
    return text[len(PREFIX) : len(PREFIX) + _ID_LENGTH]


def digest(pepper: bytes, text: str) -> str:
    """What is kept of a key: hex HMAC-SHA256."""
    return hmac.digest(pepper, text.encode("utf-8", "surrogatepass"), "sha256").hex()


NO_DIGEST = "0" * 64
"""Compared with when the id is unknown, so that an unknown key costs what a wrong one costs."""


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
