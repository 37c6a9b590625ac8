"""What is kept in the database and must not be readable in a copy of it: AES-256-GCM under the pepper."""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class BrokenSealError(Exception):
    """It was sealed under another pepper, for something else, or was changed."""


class Seal:
    """Seals for one purpose: what was sealed for another does not open."""

    def __init__(self, pepper: bytes, purpose: str) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=f"llm-platform {purpose}".encode()).derive(pepper)
        self._cipher = AESGCM(key)

    def close(self, content: bytes, name: str) -> str:
        """Sealed, as text. ``name``: what it belongs to; it opens under no other."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, content, name.encode())).decode()

    def open(self, sealed: str, name: str) -> bytes:
        """Raises BrokenSealError."""
        try:
            raw = base64.b64decode(sealed, validate=True)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], name.encode())
        except (ValueError, InvalidTag):
            raise BrokenSealError(name) from None
