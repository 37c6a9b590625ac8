"""Who acts in a call: from the caller's name, and for a delegate (a dashboard) from the token it sends.

The operator's certificate is the operator, other services act as themselves. A delegate acts as the person
whose token it sends, within the catalogue's ``roles``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

import grpc

from llm_platform.core.actor import OPERATOR, Actor
from llm_platform.core.catalog import Catalog
from llm_platform.core.catalog.roles import ANYONE, includes
from llm_platform.core.errors import Code, PlatformError
from llm_platform.rpc.authorization import HEALTH_WATCH, PACKAGE, RefusedError
from llm_platform.rpc.on_behalf import AUTHORIZATION, SCHEME

if TYPE_CHECKING:
    from joserfc.jwk import OKPKey

    from llm_platform.core.actor_token import Claims


OPERATOR_NAME = "operator"

Metadata = Iterable[tuple[str, str | bytes]]


class PublicKeys(Protocol):
    """Where the keys of auth-service come from."""

    async def find(self, key_id: str) -> OKPKey | None:
        """The public key; None when there is none. Raises UNAVAILABLE when nobody can be asked."""
        ...


class RefusedActorError(RefusedError):
    """A person may not make this call: ``error`` is what the person is told."""

    def __init__(self, caller: str, error: PlatformError, who: Actor | None = None) -> None:
        super().__init__(
            grpc.StatusCode.PERMISSION_DENIED
            if error.code is Code.PERMISSION_DENIED
            else grpc.StatusCode.UNAUTHENTICATED,
            caller,
            error.message,
        )
        self.error = error
        self.who = who


class Acting(NamedTuple):
    """Who acts, and for how long the proof of it holds."""

    actor: Actor
    expires_at: float | None = None
    """Unix seconds; None: as long as the connection."""


class Actors:
    """The catalogue's ``roles`` of one service."""

    def __init__(
        self,
        catalog: Catalog,
        service: str,
        trust_domain: str | None,
        keys: PublicKeys | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Without a trust domain (loopback only) callers have no names, and this is never asked."""
        self._delegates = frozenset(catalog.delegates)
        self._rights = {f"/{PACKAGE}.{name}": rights for name, rights in catalog.rights(service).items()}
        self._audience = trust_domain or ""
        self._keys = keys
        self._clock = clock
        self._themselves = {
            name: Acting(OPERATOR if name == OPERATOR_NAME else _service(name)) for name in catalog.identities
        }

    def itself(self, caller: str) -> Acting | None:
        """Who acts when ``caller`` does not call on behalf of people; None for a delegate."""
        return None if caller in self._delegates else self._themselves[caller]

    async def person(self, method: str, caller: str, metadata: Metadata | None) -> Acting:
        """Who acts when the delegate ``caller`` calls ``method`` (gRPC's path).

        Raises RefusedActorError, UNAVAILABLE when the token cannot be checked now.
        """
        rights = self._rights.get(method, frozenset())
        text = _token(metadata)
        if method == HEALTH_WATCH or (ANYONE in rights and not text):
            return self._themselves[caller]
        if not text:
            raise _unauthenticated(caller, "This needs somebody who has signed in.")
        claims = await self._verified(text, caller)
        who = claims.actor
        if ANYONE not in rights and not includes(rights, who.role, who.platform):
            message = f"The role {who.role} may not call {method.removeprefix(f'/{PACKAGE}.')}{_hint(rights, who)}."
            raise RefusedActorError(caller, PlatformError(Code.PERMISSION_DENIED, message), who)
        return Acting(who, claims.expires_at)

    async def _verified(self, text: str, caller: str) -> Claims:
        # Its libraries take 9 MB, which a process that no dashboard calls need not have.
        from llm_platform.core.actor_token import InvalidTokenError, verify

        if self._keys is None:
            raise PlatformError(Code.UNAVAILABLE, "Whoever signed in cannot be checked here: peers.auth-service.")
        try:
            return await verify(text, self._keys.find, self._audience, self._clock())
        except InvalidTokenError as error:
            raise _unauthenticated(caller, f"The token of whoever signed in is refused: {error}.") from None


def _service(name: str) -> Actor:
    return Actor(name, name, "service", "", "", platform=False)


def _token(metadata: Metadata | None) -> str:
    values = [str(value) for key, value in metadata or () if key == AUTHORIZATION]
    # Two of them would leave open who acts.
    return values[0].removeprefix(SCHEME) if len(values) == 1 and values[0].startswith(SCHEME) else ""


def _unauthenticated(caller: str, message: str) -> RefusedActorError:
    return RefusedActorError(caller, PlatformError(Code.UNAUTHENTICATED, message))


def _hint(rights: frozenset[str], who: Actor) -> str:
    return " outside the platform's own organisation" if includes(rights, who.role, platform=True) else ""
