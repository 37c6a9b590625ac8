"""What auth-service provides to know who acts: signing in, and the keys that tokens are checked with."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, sessions_pb2
from llm_platform.rpc.port import Port


class Sessions(Protocol):
    """Signing in, and the keys that tokens are checked with."""

    async def public_keys(self, request: common_pb2.Empty) -> sessions_pb2.PublicKeySet: ...


SESSIONS = Port(Sessions, sessions_pb2.DESCRIPTOR.services_by_name["Sessions"], provider="auth-service")
