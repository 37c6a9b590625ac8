"""Whether something listens at an address, asked with a bare TCP connection.

That is a tenth of what an attempt of gRPC costs, and about half of the configured slots are empty at any time.
"""

from __future__ import annotations

import asyncio


async def probe(endpoint: str, seconds: float) -> None:
    """Raises ``OSError`` when nobody takes a connection at ``host:port`` within ``seconds``."""
    host, _, port = endpoint.rpartition(":")
    async with asyncio.timeout(seconds):
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, host.strip("[]"), int(port))
    transport.abort()
