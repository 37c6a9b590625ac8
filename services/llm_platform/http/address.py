"""Where a request comes from, and whether that is where its key may be used."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from llm_platform.http.server.request import Request

FORWARDED_FOR = "x-forwarded-for"

Network = IPv4Network | IPv6Network


class ClientAddress:
    """Knows which proxies say the truth about whom they forward for."""

    def __init__(self, trusted_proxies: list[str]) -> None:
        self._trusted = networks(tuple(trusted_proxies))

    def is_within(self, request: Request, ranges: tuple[str, ...]) -> bool:
        """Whether the client's address is in one of the ranges (CIDR); never when it is not known."""
        address = self.of(request)
        return address is not None and _is_in(address, networks(ranges))

    def of(self, request: Request) -> IPv4Address | IPv6Address | None:
        """The last address on the way here that is not a trusted proxy's: what stands before it, anyone may write."""
        address = _parsed(request.connection.peer_address)
        if not self._trusted:
            return address
        forwarded = request.headers.get(FORWARDED_FOR, "").split(",")
        while address is not None and _is_in(address, self._trusted) and forwarded:
            address = _parsed(forwarded.pop().strip())
        return address


@lru_cache(maxsize=4_096)
def networks(ranges: tuple[str, ...]) -> tuple[Network, ...]:
    """The ranges read, once for all requests of a key."""
    return tuple(ip_network(each) for each in ranges)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket for both versions shows IPv4 as ::ffff:a.b.c.d.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_in(address: IPv4Address | IPv6Address, ranges: tuple[Network, ...]) -> bool:
    return any(address in each for each in ranges)
