"""Whose key a request carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from llm_platform.core.actor import DEVELOPER
from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.proto import common_pb2

_LONGEST_KEY = 512
_KEY_HEADERS = ("x-api-key", "x-goog-api-key")

_NO_KEY = (
    "No API key was given. Send one as 'Authorization: Bearer KEY'. "
    "An administrator of this platform makes one with 'llm-gateway keys create'."
)

log = get_logger(__name__)


class Keys(Protocol):
    """Knows who holds a key (``auth_service/cache.py``)."""

    async def get(self, token: str) -> common_pb2.Principal:
        """Raises ``PlatformError`` UNAUTHENTICATED for a key that is unknown, revoked or expired."""
        ...


class Credentials:
    """Authenticates requests by their headers."""

    def __init__(self, config: Config, keys: Keys) -> None:
        self._keys = keys
        own = config.security.api_key_header.lower()
        self._headers = _KEY_HEADERS if own in _KEY_HEADERS else (*_KEY_HEADERS, own)
        self._anonymous: common_pb2.Principal | None = None
        if not config.auth.require_auth_header:
            self._anonymous = common_pb2.Principal(key_id="anonymous", user_id="anonymous", role=DEVELOPER)
            log.warning(
                "ANYONE CAN USE THIS ENTRY: auth.require_auth_header is false, requests without a key are served",
                listen=f"{config.listen.host}:{config.listen.http}",
            )

    async def principal(self, headers: Mapping[str, str]) -> common_pb2.Principal:
        """Who calls. Raises ``PlatformError`` UNAUTHENTICATED."""
        key = self._key(headers)
        if key is not None:
            return await self._keys.get(key)
        if self._anonymous is not None:
            return self._anonymous
        raise PlatformError(Code.UNAUTHENTICATED, _NO_KEY)

    def _key(self, headers: Mapping[str, str]) -> str | None:
        authorization = headers.get("authorization")
        if authorization:
            scheme, _, key = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise PlatformError(
                    Code.UNAUTHENTICATED, "The Authorization header must read 'Bearer KEY': no other scheme is known."
                )
            return _checked(key.strip())
        for name in self._headers:
            if (given := headers.get(name)) is not None:
                return _checked(given.strip())
        return None


def _checked(key: str) -> str:
    if not key:
        raise PlatformError(Code.UNAUTHENTICATED, _NO_KEY)
    if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise PlatformError(Code.UNAUTHENTICATED, "The API key is malformed.")
    return key
