"""Where a request comes from, and whether that is where its key may be used."""

from __future__ import annotations

from llm_platform.core.addresses import Address, behind_proxies, is_within, networks
from llm_platform.http.server.request import Request

FORWARDED_FOR = "x-forwarded-for"


class ClientAddress:
    """Knows which proxies say the truth about whom they forward for."""

    def __init__(self, trusted_proxies: list[str]) -> None:
        self._trusted = networks(tuple(trusted_proxies))

    def is_within(self, request: Request, ranges: tuple[str, ...]) -> bool:
        """Whether the client's address is in one of the ranges (CIDR); never when it is not known."""
        return is_within(self.of(request), networks(ranges))

    def of(self, request: Request) -> Address | None:
        """The client's; None when it is not known."""
        forwarded = request.headers.get(FORWARDED_FOR, "")
        return behind_proxies(request.connection.peer_address, [forwarded], self._trusted)
