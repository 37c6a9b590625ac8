"""Keeps the platform's ports out of the kernel's hands.

The contract's gRPC ports lie in the range that Linux takes the source ports of outgoing connections from. Any
connection of the host may hold one of them at the moment HAProxy wants to listen on it, unless it is reserved.
Source: https://docs.kernel.org/networking/ip-sysctl.html, ip_local_reserved_ports.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

KERNEL = Path("/proc/sys/net/ipv4")
AT_BOOT = Path("/etc/sysctl.d/60-llm-platform.conf")
COMMENT = "# Ports that outgoing connections may not take. Written by the deployment of the LLM platform.\n"


def parse(text: str) -> set[int]:
    """``50051-50053,50061`` as ports."""
    ports: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        ports.update(range(int(first), int(last or first) + 1))
    return ports


def text_of(ports: Iterable[int]) -> str:
    """The kernel's own way to write ports: ranges, ascending."""
    ranges: list[tuple[int, int]] = []
    for port in sorted(ports):
        if ranges and ranges[-1][1] == port - 1:
            ranges[-1] = (ranges[-1][0], port)
        else:
            ranges.append((port, port))
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)


class Reservation:
    """The reserved ports of this host, now and after a boot."""

    def __init__(self, kernel: Path = KERNEL, at_boot: Path = AT_BOOT) -> None:
        self.now = kernel / "ip_local_reserved_ports"
        self.range = kernel / "ip_local_port_range"
        self.at_boot = at_boot

    def missing(self, ports: Iterable[int]) -> set[int]:
        """Which of ``ports`` an outgoing connection could take."""
        first, last = map(int, self.range.read_text().split())
        in_danger = {port for port in ports if first <= port <= last}
        reserved = parse(self.now.read_text())
        kept = parse(self.at_boot.read_text().rpartition("=")[2]) if self.at_boot.exists() else set()
        return in_danger - (reserved & kept)

    def reserve(self, ports: Iterable[int]) -> None:
        """Adds ``ports`` to what is reserved. Raises OSError where the kernel does not allow it."""
        together = text_of(parse(self.now.read_text()) | set(ports))
        self.now.write_text(together)
        self.at_boot.parent.mkdir(parents=True, exist_ok=True)
        self.at_boot.write_text(f"{COMMENT}net.ipv4.ip_local_reserved_ports = {together}\n")
