"""IP addresses: whose a request is, and whether it is in a range."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@lru_cache(maxsize=4_096)
def networks(ranges: tuple[str, ...]) -> tuple[Network, ...]:
    """The ranges (CIDR) read, once for all requests of a key."""
    return tuple(ip_network(each) for each in ranges)


def parsed(text: str) -> Address | None:
    """None when it is not an address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A socket for both versions shows IPv4 as ::ffff:a.b.c.d.
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def is_within(address: Address | None, ranges: tuple[Network, ...]) -> bool:
    """Whether the address is in one of the ranges; never when it is not known."""
    return address is not None and any(address in each for each in ranges)


def behind_proxies(peer: str, forwarded_for: Iterable[str], trusted: tuple[Network, ...]) -> Address | None:
    """The last address on the way here that is not a trusted proxy's: what stands before it, anyone may write.

    ``forwarded_for``: the values of the header X-Forwarded-For, in order.
    """
    address = parsed(peer)
    if not trusted:
        return address
    forwarded = [each for value in forwarded_for for each in value.split(",")]
    while is_within(address, trusted) and forwarded:
        address = parsed(forwarded.pop().strip())
    return address
