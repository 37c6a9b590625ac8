"""The keys that actors' tokens are signed with: made, replaced every month, shared by all replicas.

They lie in the accounts' database, the private halves sealed under the pepper. A replaced key's signatures
hold for an hour more, which is far beyond the life of a token. Withdrawing ends them at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
from joserfc.jwk import OKPKey
from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.store import append
from llm_platform.auth_service.sessions.schema import signing_keys
from llm_platform.auth_service.sessions.sealing import BrokenSealError, Seal
from llm_platform.core.actor_token import Claims, sign
from llm_platform.core.database import reading
from llm_platform.core.database_failures import unavailable
from llm_platform.core.ids import new_id
from llm_platform.core.logging import get_logger

SIGNING_SECONDS = 30 * 86_400
"""How long a key signs."""
OVERLAP_SECONDS = 3_600
"""How long its signatures hold after the next key was made."""
AHEAD_SECONDS = 5
"""How long a new key is given out before it signs: nobody meets a signature of a key that cannot be asked for yet."""
RELOAD_SECONDS = 30.0
"""How old what is known of other replicas' keys may be."""
PAUSE_SECONDS = 1.0
"""Between two looks for a key that is not known."""

log = get_logger("auth-service.signing_keys")


class _Key:
    def __init__(self, row: RowMapping, private: OKPKey | None) -> None:
        self.number: int = row["number"]
        self.created_at: float = row["created_at"] / 1000
        self.public = OKPKey.import_key(msgspec.json.decode(row["public"], type=dict[str, Any]))
        self.private = private


class SigningKeys:
    """Signs tokens for ``audience`` and gives out the public keys."""

    def __init__(
        self, engine: AsyncEngine, pepper: bytes, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.audience = audience
        self._engine = engine
        self._reading = reading(engine)
        self._seal = Seal(pepper, "signing keys")
        self._clock = clock
        self._keys: list[_Key] = []  # newest first; those whose signatures hold
        self._loaded_at = -float("inf")
        self._loading = asyncio.Lock()
        self._making = asyncio.Lock()

    async def sign(self, claims: Claims) -> str:
        """A token. Raises UNAVAILABLE when the database fails and no key is at hand."""
        return sign(await self._current(), claims, self.audience, self._clock())

    async def find(self, key_id: str) -> OKPKey | None:
        """The public key of that id; what another replica made just now is looked for."""
        found = await self._known(key_id, RELOAD_SECONDS)
        return found or await self._known(key_id, PAUSE_SECONDS)

    async def jwks(self) -> str:
        """All public keys whose signatures hold, as RFC 7517 has it; makes the first."""
        await self._current()
        return msgspec.json.encode({"keys": [key.public.as_dict(private=False) for key in self._keys]}).decode()

    async def replace(self, *, withdraw: bool = False) -> None:
        """Makes a new key now; ``withdraw``: signatures of all older ones hold no longer."""
        audit = Draft("Sessions/ReplaceSigningKey", details={"withdraw": withdraw})
        await self._make(audit, withdraw=withdraw)

    async def _known(self, key_id: str, max_age: float) -> OKPKey | None:
        await self._load(max_age)
        return next((key.public for key in self._keys if key.public.kid == key_id), None)

    async def _current(self) -> OKPKey:
        await self._load(RELOAD_SECONDS)
        if self._is_due():
            async with self._making:
                if self._is_due():
                    await self._make()
        private = self._signing()
        assert private is not None  # noqa: S101 - one was just made if there was none
        return private

    def _is_due(self) -> bool:
        newest = self._keys[0] if self._keys else None
        return self._signing() is None or newest is None or self._clock() - newest.created_at >= SIGNING_SECONDS

    def _signing(self) -> OKPKey | None:
        """The newest that others can know already, else the newest."""
        usable = [key for key in self._keys if key.private is not None]
        known = [key for key in usable if self._clock() - key.created_at >= AHEAD_SECONDS]
        return next((key.private for key in known or usable), None)

    async def _make(self, audit: Draft | None = None, *, withdraw: bool = False) -> None:
        key_id, now_ms = new_id("sig"), int(self._clock() * 1000)
        key = OKPKey.generate_key("Ed25519", {"kid": key_id, "use": "sig", "alg": "Ed25519"})
        row = {
            "key_id": key_id,
            "public": msgspec.json.encode(key.as_dict(private=False)).decode(),
            "sealed": self._seal.close(msgspec.json.encode(key.as_dict(private=True)), key_id),
            "created_at": now_ms,
        }
        try:
            async with self._engine.begin() as connection:
                newest = (await connection.execute(select(func.max(signing_keys.c.number)))).scalar() or 0
                await connection.execute(insert(signing_keys).values(row | {"number": newest + 1}))
                if withdraw:
                    older = (signing_keys.c.number <= newest) & signing_keys.c.withdrawn_at.is_(None)
                    await connection.execute(update(signing_keys).where(older).values(withdrawn_at=now_ms))
                if audit is not None:
                    await append(connection, now_ms, audit._replace(target=key_id))
        except IntegrityError:
            log.info("another replica made the next signing key")
        except SQLAlchemyError as error:
            raise unavailable(error, "The accounts' database") from None
        else:
            log.info("a new signing key signs", key_id=key_id)
        await self._load(0)

    async def _load(self, max_age: float) -> None:
        async with self._loading:
            now = self._clock()
            if now - self._loaded_at < max_age:
                return
            query = (
                select(signing_keys)
                .where(signing_keys.c.withdrawn_at.is_(None))
                .order_by(signing_keys.c.number.desc())
                .limit(10)
            )
            try:
                async with self._reading.connect() as connection:
                    rows = (await connection.execute(query)).mappings().all()
            except SQLAlchemyError as error:
                if self._keys:  # the keys known go on; what needs the database will say so itself
                    return
                raise unavailable(error, "The accounts' database") from None
            self._loaded_at = now
            self._keys = self._holding([self._open(row) for row in rows], now)

    def _open(self, row: RowMapping) -> _Key:
        try:
            opened = self._seal.open(row["sealed"], row["key_id"])
        except BrokenSealError:
            log.error("a signing key was sealed under another accounts.pepper", key_id=row["key_id"])
            return _Key(row, None)
        return _Key(row, OKPKey.import_key(msgspec.json.decode(opened, type=dict[str, Any])))

    def _holding(self, keys: list[_Key], now: float) -> list[_Key]:
        """A key holds until the overlap after the next one was made."""
        return [
            key
            for key, newer in zip(keys, [None, *keys], strict=False)
            if newer is None or now - newer.created_at < OVERLAP_SECONDS
        ]
