"""The keys of the embedded store: configured ones, or files beside it that may be kept under a passphrase.

Key files, beside ``secrets.json``:

    secrets.key            the store's key: base64, or sealed under a passphrase (one line of JSON)
    secrets.key.next       of a rotation that is under way
    secrets.key.previous   from before the last rotation, until that is confirmed

Which one the store is written with is told by the id in its header, so a rotation that broke off anywhere is no
trouble: the key is found. Everything here blocks; what changes files is called under the store's lock, but for
``unseal``, which takes it itself.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from llm_platform.core.durable import remove_file, write_file
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.key_file import KEY_BYTES, UnusableKeyError, parse_key, read_or_make_key
from llm_platform.secrets_service.embedded.lock import write_lock
from llm_platform.secrets_service.embedded.sealing import Sealer
from llm_platform.secrets_service.passphrase import (
    Derivation,
    PassphraseKey,
    WrongPassphraseError,
    check_passphrase,
)

_PURPOSE = b"llm-platform store key"


class SealedError(PlatformError):
    """The key is under a passphrase that nobody has given yet."""

    def __init__(self, message: str = "") -> None:
        super().__init__(
            Code.UNAVAILABLE,
            message or "The store of secrets is sealed; open it with: llm-gateway secrets unseal",
            retry_after=5,
        )


class Keyring(Protocol):
    """Where the store finds its keys."""

    def first(self) -> Sealer:
        """The key of a store that is to be made. Raises UnusableKeyError, SealedError."""
        ...

    def find(self, key_id: str) -> Sealer | None:
        """None: that key is not at hand. Raises UnusableKeyError, SealedError."""
        ...

    def settle(self, key_id: str) -> None:
        """The store is written with this key: what a rotation left to do is done."""
        ...

    def following(self, key_id: str) -> Sealer:
        """The key that takes this one's place, safe on the disk. Raises CONFLICT when there is none."""
        ...

    @property
    def confirmable(self) -> bool:
        """Whether the key from before a rotation is still kept."""
        ...

    def forget_previous(self) -> None: ...


class ConfiguredKeys:
    """Keys that the operator keeps: ``stores.secrets_key`` and ``stores.secrets_key_previous``, or their files."""

    confirmable = False

    def __init__(self, key: bytes, previous: bytes | None = None) -> None:
        self._key = Sealer(key)
        self._previous = Sealer(previous) if previous is not None else None

    def first(self) -> Sealer:
        return self._key

    def find(self, key_id: str) -> Sealer | None:
        return next((each for each in (self._key, self._previous) if each and each.key_id == key_id), None)

    def settle(self, key_id: str) -> None:
        pass

    def following(self, key_id: str) -> Sealer:
        if self._key.key_id == key_id:
            raise PlatformError(
                Code.CONFLICT,
                "The store is written with the configured key. To change it, configure a new one, the old one as "
                "stores.secrets_key_previous (or its file), restart, and rotate then.",
            )
        return self._key

    def forget_previous(self) -> None:
        pass


class _SealedKey(msgspec.Struct, frozen=True):
    """A key file under a passphrase."""

    sealed: int  # the format
    derivation: Derivation
    key: bytes


class KeyFiles:
    """Key files beside the store. ``sealed``: the store may not have its key in the open."""

    def __init__(self, path: Path, store: Path, *, sealed: bool = False) -> None:
        self._path = path
        self._next = path.with_name(f"{path.name}.next")
        self._previous = path.with_name(f"{path.name}.previous")
        self._store = store
        self._sealed = sealed
        self._passphrase: PassphraseKey | None = None

    @property
    def has_passphrase(self) -> bool:
        return self._read(self._path).startswith(b"{")

    @property
    def confirmable(self) -> bool:
        return self._previous.exists()

    def first(self) -> Sealer:
        if self._store.exists() and not self._path.exists():
            raise UnusableKeyError(
                f"The store of secrets {self._store} exists, but its key {self._path} does not: restore the key."
            )
        if self._sealed and not self.has_passphrase:
            raise SealedError(
                "The store of secrets is to be sealed, and has no passphrase yet; "
                "set one with: llm-gateway secrets unseal --init"
            )
        if not self._path.exists():
            read_or_make_key(self._path)
        return Sealer(self._key_in(self._path))

    def find(self, key_id: str) -> Sealer | None:
        self.first()
        for path in (self._path, self._next, self._previous):
            if path.exists() and (sealer := Sealer(self._key_in(path))).key_id == key_id:
                return sealer
        return None

    def settle(self, key_id: str) -> None:
        if Sealer(self._key_in(self._path)).key_id == key_id:
            return
        with self._named_failures():
            if self._previous.exists() and Sealer(self._key_in(self._previous)).key_id == key_id:
                write_file(self._next, self._read(self._previous))  # the store was put back by hand
            write_file(self._previous, self._read(self._path))
            write_file(self._path, self._read(self._next))
            remove_file(self._next)

    def following(self, key_id: str) -> Sealer:
        self.settle(key_id)
        if self.confirmable:
            raise PlatformError(
                Code.CONFLICT,
                "The last change of the store's key is not confirmed yet: llm-gateway secrets rotate-key --confirm",
            )
        key = secrets.token_bytes(KEY_BYTES)
        with self._named_failures():
            write_file(self._next, self._written(key, self._passphrase if self.has_passphrase else None))
        return Sealer(key)

    def forget_previous(self) -> None:
        with self._named_failures():
            remove_file(self._previous)

    def unseal(self, passphrase: bytes, *, initialize: bool) -> None:
        """Takes its time. Raises PERMISSION_DENIED for a wrong one, CONFLICT, INVALID_REQUEST."""
        if initialize:
            self._initialize(passphrase)
            return
        if not self.has_passphrase:
            self.first()  # says what is the matter; else there is nothing to open
            return
        sealed = self._parsed(self._path)
        try:
            given = PassphraseKey(passphrase, sealed.derivation)
            given.open(sealed.key, _PURPOSE)
        except WrongPassphraseError:
            raise PlatformError(Code.PERMISSION_DENIED, "The passphrase is wrong.", param="passphrase") from None
        self._passphrase = given

    def _initialize(self, passphrase: bytes) -> None:
        with contextlib.ExitStack() as held:
            with self._named_failures():
                held.enter_context(write_lock(self._store))
            if self.has_passphrase:  # perhaps of another process, just now
                raise PlatformError(Code.CONFLICT, "The store has a passphrase already; unseal it with that one.")
            self.put_under(passphrase)

    def put_under(self, passphrase: bytes) -> None:
        """Puts the keys under a passphrase, or under another one; makes a first key when there is none."""
        check_passphrase(passphrase)
        if self.confirmable:
            raise PlatformError(
                Code.CONFLICT,
                "The last change of the store's key is not confirmed yet: llm-gateway secrets rotate-key --confirm",
            )
        given = PassphraseKey(passphrase, Derivation.new())
        with self._named_failures():
            if self._read(self._next).startswith(b"{"):
                remove_file(self._next)  # of a rotation that never reached the store
            elif self._next.exists():
                write_file(self._next, self._written(self._key_in(self._next), given))
            key = self._key_in(self._path) if self._path.exists() else self._new_key()
            write_file(self._path, self._written(key, given))
        self._passphrase = given

    def _new_key(self) -> bytes:
        if self._store.exists():
            self.first()  # says that the key is lost
        return secrets.token_bytes(KEY_BYTES)

    def seal(self) -> None:
        """Forgets the passphrase. Raises INVALID_REQUEST when there is none."""
        if not self.has_passphrase:
            raise PlatformError(
                Code.INVALID_REQUEST, "The store's key has no passphrase yet: give a new one.", param="passphrase"
            )
        self._passphrase = None

    def _key_in(self, path: Path) -> bytes:
        text = self._read(path)
        if not text.startswith(b"{"):
            return parse_key(text.decode("ascii", "replace"), f"The key file {path}")
        sealed = self._parsed(path)
        if self._passphrase is not None:
            with contextlib.suppress(WrongPassphraseError):
                return self._passphrase.open(sealed.key, _PURPOSE)
        raise SealedError

    def _parsed(self, path: Path) -> _SealedKey:
        try:
            return msgspec.json.decode(self._read(path), type=_SealedKey)
        except msgspec.MsgspecError:
            raise UnusableKeyError(f"The key file {path} is damaged: restore it.") from None

    def _written(self, key: bytes, under: PassphraseKey | None) -> bytes:
        if under is None:
            return base64.b64encode(key) + b"\n"
        return msgspec.json.encode(_SealedKey(1, under.derivation, under.seal(key, _PURPOSE))) + b"\n"

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise UnusableKeyError(f"The key file {path} cannot be read: {error.strerror}.") from error

    @contextlib.contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnusableKeyError(f"The key file {self._path} cannot be written: {error.strerror}.") from error
