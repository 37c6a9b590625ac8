"""Timings and bounds of the relay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Times are in seconds, sizes in bytes. The defaults are what deployments run with."""

    ping_interval: float = 1.0
    missed_pings: int = 3
    """A peer that sent nothing in this many intervals is dead: found after 3 to 4 intervals."""
    hello_timeout: float = 3.0
    """For connecting and for the peer's hello."""
    backoff: float = 0.05
    backoff_limit: float = 0.5
    """Pause before connecting again; doubles up to the limit, since start-first puts a new replica on a known slot."""
    wait_for_link: float = 5.0
    """How long a request waits while no replica is connected."""
    linger_per_stream: float = 0.0005
    linger: float = 0.008
    """How long a stream's chunk waits for company, counted from the link's last message: half a millisecond for each
    request open on the link, up to the bound. So a lone stream's chunks hardly wait, the first one after a pause
    leaves at once, and a busy link carries at most 125 messages a second for the chunks of all its streams. A message
    costs as much as some 20 chunks in it; a stream's start and errors never wait."""
    window_bytes: int = 256 * 1024
    """Unread bytes accepted per request and direction."""
    resend: bool = True
    """Whether a request whose link broke before the first byte is sent to another replica. Not by head, whose
    requests name a reservation: it makes the second attempt itself, with a reservation of its own."""
    max_streams: int = 4096
    """Open requests a server accepts per link."""
    drain_acknowledgement: float = 1.0
    """How long a draining server waits for a peer to confirm that it opens nothing more."""
