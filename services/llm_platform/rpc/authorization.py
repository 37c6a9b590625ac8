"""Who may call what: a peer's certificate held against the catalogue.

The certificate's URI name (``spiffe://TRUST_DOMAIN/SERVICE``) says who calls. TLS has already checked
that our authority signed it; here its trust domain, its name and the method are checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc

from llm_platform.core.catalog import Catalog

PACKAGE = "llm.v1"
"""The protobuf package of all services; the catalogue's methods leave it out."""


HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
"""Every caller of the platform may ask it: see ``guard.Guard``."""


class RefusedError(Exception):
    """The call is refused before anything of it ran.

    ``caller`` is the peer's name, or ``none``, ``foreign`` or ``unknown``: bounded, for a metric's label.
    """

    def __init__(self, status: grpc.StatusCode, caller: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.caller = caller
        self.reason = reason


class AllowList:
    """The catalogue's ``allow`` of one service."""

    def __init__(self, catalog: Catalog, service: str, trust_domain: str | None) -> None:
        """Without a trust domain (loopback only, see ``credentials``) peers have no names to check."""
        self._service = service
        self._identities = catalog.identities
        self._prefix = f"spiffe://{trust_domain}/" if trust_domain is not None else None
        self._callers = {f"/{PACKAGE}.{name}": callers for name, callers in catalog.allow_list(service).items()}
        self._callers[HEALTH_WATCH] = catalog.identities

    def lists(self, method: str) -> bool:
        """Whether ``method`` (gRPC's path) is of the catalogue; other names come from whoever calls."""
        return method in self._callers

    def admit(self, method: str, peer: Mapping[str, Iterable[Any]]) -> str | None:
        """The caller's name (None when peers have none).

        ``method`` is gRPC's path, ``peer`` the connection's authentication context.
        Raises ``RefusedError``.
        """
        callers = self._callers.get(method)
        caller = self._identify(peer, self._prefix) if self._prefix is not None else None
        if callers is None:
            reason = f"{method} is not in the catalogue's allow list of {self._service}"
            raise RefusedError(grpc.StatusCode.PERMISSION_DENIED, caller or "none", reason)
        if caller is not None and caller not in callers:
            reason = f"{caller} may not call {method} of {self._service}"
            raise RefusedError(grpc.StatusCode.PERMISSION_DENIED, caller, reason)
        return caller

    def _identify(self, peer: Mapping[str, Iterable[Any]], prefix: str) -> str:
        names = [_text(name) for name in peer.get("peer_spiffe_id", ())]
        if len(names) != 1:
            uris = ", ".join(_text(uri) for uri in peer.get("peer_uri", ())) or "none"
            reason = f"the peer's certificate must have exactly one SPIFFE URI name; its URI names: {uris}"
            raise RefusedError(grpc.StatusCode.UNAUTHENTICATED, "none", reason)
        name = names[0]
        if not name.startswith(prefix):
            reason = f"{name} is of another trust domain than {prefix}"
            raise RefusedError(grpc.StatusCode.UNAUTHENTICATED, "foreign", reason)
        service = name.removeprefix(prefix)
        if service not in self._identities:
            reason = f"{name} is neither a service nor a caller of the catalogue"
            raise RefusedError(grpc.StatusCode.PERMISSION_DENIED, "unknown", reason)
        return service


def _text(name: object) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
