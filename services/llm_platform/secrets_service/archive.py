"""Secrets in a file under a passphrase, to be taken elsewhere.

Two lines of JSON, so that the first can be authenticated byte for byte with the second:

    {"archive": "llm-platform secrets", "version": 1, "derivation": {"salt": …, "n": 131072, "r": 8, "p": 1}}
    "<base64: AES-256-GCM of the secrets, the first line as associated data>"
"""

from __future__ import annotations

import msgspec

from llm_platform.core.errors import Code, PlatformError
from llm_platform.secrets_service.passphrase import Derivation, PassphraseKey, WrongPassphraseError, check_passphrase

VERSION = 1
_KIND = "llm-platform secrets"


class ArchivedSecret(msgspec.Struct, frozen=True, omit_defaults=True):
    """One secret: its newest value, and what is known of it."""

    path: str
    value: bytes
    description: str = ""
    labels: dict[str, str] = {}
    expires_at: str = ""

    def __repr__(self) -> str:
        return f"ArchivedSecret({self.path})"


class _Header(msgspec.Struct, frozen=True):
    archive: str
    version: int
    derivation: Derivation


def pack(secrets: list[ArchivedSecret], passphrase: bytes) -> bytes:
    """Takes its time. Raises INVALID_REQUEST for a passphrase that is too short."""
    check_passphrase(passphrase)
    key = PassphraseKey(passphrase, Derivation.new())
    header = msgspec.json.encode(_Header(_KIND, VERSION, key.derivation))
    return header + b"\n" + msgspec.json.encode(key.seal(msgspec.json.encode(secrets), header)) + b"\n"


def unpack(archive: bytes, passphrase: bytes) -> list[ArchivedSecret]:
    """Raises INVALID_REQUEST: no archive, of a newer release, another passphrase, truncated, changed."""
    header_line, _, body = archive.partition(b"\n")
    try:
        header = msgspec.json.decode(header_line, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _unusable("The file is no export of secrets.") from None
    if header.archive != _KIND:
        raise _unusable("The file is no export of secrets.")
    if header.version != VERSION:
        raise _unusable(f"The export has version {header.version}, this release reads {VERSION}: use the newer one.")
    if not body.endswith(b"\n"):
        raise _unusable("The export is truncated.")
    try:
        sealed = msgspec.json.decode(body, type=bytes)
        return msgspec.json.decode(
            PassphraseKey(passphrase, header.derivation).open(sealed, header_line), type=list[ArchivedSecret]
        )
    except WrongPassphraseError:
        raise _unusable("The passphrase is wrong, or the export was changed.") from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _unusable("The export is damaged.") from None


def _unusable(message: str) -> PlatformError:
    return PlatformError(Code.INVALID_REQUEST, f"{message} Nothing was imported.")
