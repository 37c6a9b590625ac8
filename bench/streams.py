"""Load of paced streams: ``connections`` at once, each reading ``rounds`` streams to their end.

wrk gives no time to first byte, so streaming has this generator of its own. Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field

import uvloop


@dataclass
class Result:
    """Times in seconds from the request's last byte."""

    requests: int = 0
    failures: int = 0
    events: int = 0
    first_event: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


async def read_streams(port: int, request: bytes, rounds: int, result: Result) -> None:
    for _ in range(rounds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        began = time.perf_counter()
        writer.write(request)
        events, complete = 0, False
        try:
            async with asyncio.timeout(60):
                while line := await reader.readline():
                    if line.startswith(b"data: "):
                        if events == 0:
                            result.first_event.append(time.perf_counter() - began)
                        events += 1
                        if line.startswith(b"data: [DONE]"):
                            complete = True
                            break
        except (OSError, TimeoutError):
            complete = False
        writer.close()
        result.requests += 1
        result.events += events
        result.whole.append(time.perf_counter() - began)
        result.failures += not complete


async def main(port: int, connections: int, rounds: int, path: str, headers: dict[str, str], body: str) -> None:
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "connection: close", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
    result = Result()
    async with asyncio.TaskGroup() as group:
        for index in range(connections):
            # Spread over one gap, so that not every event falls into the same millisecond.
            await asyncio.sleep(0.25 / connections if index else 0)
            group.create_task(read_streams(port, request, rounds, result))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    uvloop.run(main(**arguments))
