"""Ports for servers that are ended and started again on the same one."""

from __future__ import annotations

import random
import socket
from contextlib import closing


def free_port(held: list[socket.socket] | None = None) -> int:
    """Below the range of outgoing connections: one of those would take it while its server is down.

    It stays bound in ``held``, if given, so that the next call answers another one.
    """
    while True:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", random.randrange(21_000, 32_000)))  # noqa: S311 - no secret
        except OSError:
            holder.close()
            continue
        if held is not None:
            held.append(holder)
            return int(holder.getsockname()[1])
        with closing(holder):
            return int(holder.getsockname()[1])
