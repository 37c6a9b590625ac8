"""What the groups of methods of auth-service share: its database, the clock, and who hears of a change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from llm_platform.auth_service.database import AccountDatabase
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.store import AccountStore
from llm_platform.proto import common_pb2


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

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def limit_columns(limits: common_pb2.Limits) -> dict[str, Any]:
    """The limits as columns of their table."""
    return {
        "requests_per_minute": limits.requests_per_minute,
        "tokens_per_minute": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
    }


def json_column(texts: list[str]) -> str:
    """The texts as a column that keeps a JSON array."""
    return msgspec.json.encode(texts).decode()
