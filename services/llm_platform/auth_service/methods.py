"""What the groups of methods of auth-service share: its database, the clock, and who hears of a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.store import append
from llm_platform.auth_service.database import AccountDatabase
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.rows import LIMITS
from llm_platform.auth_service.store import AccountStore
from llm_platform.proto import common_pb2

_UNTOLD = {"change", "digest", "folded", "password_hash", "revocation", "version"}
"""Columns that the audit log does not tell: secrets, and what follows from others."""


class Methods:
    """Base of the groups. Each method is one transaction, of the present actor (core/actor.py)."""

    def __init__(
        self,
        store: AccountStore,
        revocations: Revocations,
        passwords: Passwords,
        *,
        pepper: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._database: AccountDatabase = store.database
        self._revocations = revocations
        self._passwords = passwords
        self._pepper = pepper
        self._clock = clock

    async def _audit(
        self, connection: AsyncConnection, action: str, target: str, organization_id: str, details: Mapping[str, Any]
    ) -> None:
        """Writes the change that ``connection`` makes into the audit log; to be called last in its transaction."""
        told = {name: value for name, value in details.items() if name not in _UNTOLD}
        draft = Draft(f"Accounts/{action}", target=target, organization_id=organization_id, details=told)
        await append(connection, self._now_ms(), draft)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def limit_columns(limits: common_pb2.Limits) -> dict[str, Any]:
    """The limits as columns of their table."""
    return {name: getattr(limits, name) for name in LIMITS}


def json_column(texts: list[str]) -> str:
    """The texts as a column that keeps a JSON array."""
    return msgspec.json.encode(texts).decode()
