"""Who acts: signing in, and the tokens that say so to other services."""

from __future__ import annotations

from llm_platform.auth_service.sessions.signing_keys import SigningKeys
from llm_platform.proto import common_pb2, sessions_pb2


class SessionService:
    """The real Sessions. Failures of its database are UNAVAILABLE."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys

    async def public_keys(self, request: common_pb2.Empty) -> sessions_pb2.PublicKeySet:  # noqa: ARG002
        """The keys that tokens are checked with."""
        return sessions_pb2.PublicKeySet(jwks=await self.keys.jwks())
