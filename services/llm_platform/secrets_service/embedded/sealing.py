"""Encryption of the embedded store.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce for each sealing; one store seals far fewer than
the 2^32 messages that this allows under one key. Two keys are derived from the operator's by HKDF-SHA256
(RFC 5869): one for values, one to authenticate the file as a whole.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class TamperedError(Exception):
    """A sealed value does not belong to this key, or to this place, or was changed."""


class Sealer:
    """Seals values to the place they stand in, and authenticates whole files."""

    def __init__(self, key: bytes) -> None:
        self._values = AESGCM(_derive(key, b"values"))
        self._file = _derive(key, b"file")
        self.key_id = hashlib.sha256(_derive(key, b"key id")).hexdigest()[:16]
        """Names the key without telling anything of it."""

    def seal(self, value: bytes, place: str) -> bytes:
        """Nonce, ciphertext and tag. ``place`` (store, path, version) is authenticated with it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._values.encrypt(nonce, value, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """The value sealed in this place. Raises TamperedError."""
        try:
            return self._values.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise TamperedError from None

    def sign(self, content: bytes) -> str:
        """Hex HMAC-SHA256 of a file's content."""
        return hmac.digest(self._file, content, "sha256").hex()

    def check(self, content: bytes, signature: str) -> None:
        """Raises TamperedError unless ``sign`` gives the signature."""
        if not hmac.compare_digest(self.sign(content).encode(), signature.encode()):
            raise TamperedError


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"llm-platform secrets 1: " + purpose).derive(key)
