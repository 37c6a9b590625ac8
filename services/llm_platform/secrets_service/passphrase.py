"""Encryption under a passphrase: scrypt (RFC 7914), then AES-256-GCM with a random nonce.

The cost is OWASP's first choice (N = 2^17, r = 8, p = 1: 128 MiB and some tenths of a second for each guess).
"""

from __future__ import annotations

import hashlib
import os

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from llm_platform.core.errors import Code, PlatformError

LEAST_BYTES = 8
COST = 2**17
_LARGEST_COST = 2**20
_NONCE_BYTES = 12


class WrongPassphraseError(Exception):
    """The passphrase is another one, or the content was changed: the two cannot be told apart."""


class Derivation(msgspec.Struct, frozen=True):
    """How the key comes from the passphrase; not secret."""

    salt: bytes
    n: int
    r: int = 8
    p: int = 1

    @classmethod
    def new(cls) -> Derivation:
        return cls(os.urandom(16), COST)

    @property
    def bearable(self) -> bool:
        """False for costs that somebody wrote into a file to exhaust who reads it."""
        return (
            2**10 <= self.n <= _LARGEST_COST and self.n & (self.n - 1) == 0 and (self.r, self.p) == (8, 1)
        ) and 16 <= len(self.salt) <= 64


class PassphraseKey:
    """The key of one passphrase and one derivation."""

    def __init__(self, passphrase: bytes, derivation: Derivation) -> None:
        """Takes its time. Raises WrongPassphraseError for a derivation that is none."""
        if not derivation.bearable:
            raise WrongPassphraseError
        self.derivation = derivation
        memory = 128 * derivation.n * derivation.r * 2
        key = hashlib.scrypt(
            passphrase, salt=derivation.salt, n=derivation.n, r=derivation.r, p=derivation.p, maxmem=memory, dklen=32
        )
        self._cipher = AESGCM(key)

    def seal(self, content: bytes, purpose: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, purpose)

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """Raises WrongPassphraseError."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose)
        except (InvalidTag, ValueError):
            raise WrongPassphraseError from None


def check_passphrase(passphrase: bytes) -> None:
    """Raises INVALID_REQUEST for one that is too short to be chosen."""
    if len(passphrase) < LEAST_BYTES:
        raise PlatformError(
            Code.INVALID_REQUEST,
            f"A passphrase has at least {LEAST_BYTES} bytes; better six words.",
            param="passphrase",
        )
