"""Who asks: the cookie of a browser's session, or a service account's API key, as the token that services take.

auth-service keeps the sessions; here is only, for seconds, what it last said of one. So every replica knows every
session, and one that was ended is refused after ``KEPT_SECONDS``.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from llm_platform.auth_service.sessions.interfaces import Sessions
from llm_platform.core.errors import Code, PlatformError
from llm_platform.dashboard.address import Addresses
from llm_platform.proto import sessions_pb2
from llm_platform.rpc.on_behalf import SCHEME

KEPT_SECONDS = 10.0
MOST_KEPT = 10_000
CSRF_HEADER = "x-csrf-token"
MAX_TOKEN = 300
"""Characters of a session's token or of an API key; ours have fewer."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in, or a program. ``csrf`` is empty for a program: a page cannot send its key."""

    actor: sessions_pb2.ActorToken
    csrf: str


class Cookie:
    """The session's cookie: never seen by scripts, and never sent with what another site begins."""

    def __init__(self, *, secure: bool) -> None:
        """``secure``: browsers reach this over TLS. The prefix then keeps other hosts from setting it (RFC 6265bis)."""
        self._name = "__Host-llm_session" if secure else "llm_session"
        self._secure = secure

    def read(self, request: web.Request) -> str:
        return request.cookies.get(self._name, "")[:MAX_TOKEN]

    def set(self, response: web.StreamResponse, token: str) -> None:
        response.set_cookie(self._name, token, path="/", httponly=True, secure=self._secure, samesite="Strict")

    def clear(self, response: web.StreamResponse) -> None:
        response.del_cookie(self._name, path="/", httponly=True, secure=self._secure, samesite="Strict")


def csrf_token(session: str) -> str:
    """What a page must send with each change: only who can read its answers knows it."""
    return hmac.new(session.encode(), b"csrf", hashlib.sha256).hexdigest()


class SignedIn:
    """Finds out who asks."""

    def __init__(
        self,
        sessions: Sessions,
        cookie: Cookie,
        addresses: Addresses,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = sessions
        self._cookie = cookie
        self._addresses = addresses
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, sessions_pb2.ActorToken]] = OrderedDict()

    async def person(self, request: web.Request) -> Person:
        """Raises UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE."""
        authorization = request.headers.get("authorization", "")
        if authorization.startswith(SCHEME):
            return Person(await self._program(request, authorization.removeprefix(SCHEME)), "")
        token = self._cookie.read(request)
        if not token:
            raise PlatformError(Code.UNAUTHENTICATED, "Nobody is signed in.")
        asked = sessions_pb2.SessionToken(token=token)
        return Person(await self._known(token, lambda: self._sessions.token(asked)), csrf_token(token))

    def forget(self, session: str) -> None:
        """What was known of a session that has changed."""
        self._kept.pop(_digest(session), None)

    async def _program(self, request: web.Request, key: str) -> sessions_pb2.ActorToken:
        if len(key) > MAX_TOKEN:
            raise PlatformError(Code.UNAUTHENTICATED, "This API key does not hold.")
        address = self._addresses.of(request)
        origin = sessions_pb2.Origin(address=address, client=request.headers.get("user-agent", ""))
        asked = sessions_pb2.ApiKeyLogin(key=key, origin=origin)
        # A key may be limited to addresses: what holds for one says nothing of another.
        return await self._known(f"{address} {key}", lambda: self._sessions.program_token(asked))

    async def _known(
        self, secret: str, ask: Callable[[], Awaitable[sessions_pb2.ActorToken]]
    ) -> sessions_pb2.ActorToken:
        digest, now = _digest(secret), self._clock()
        kept = self._kept.get(digest)
        if kept is not None and now - kept[0] < KEPT_SECONDS:
            return kept[1]
        actor = await ask()
        self._kept[digest] = (now, actor)
        self._kept.move_to_end(digest)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return actor


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
