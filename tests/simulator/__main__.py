"""``python -m tests.simulator --port 0 --record FILE``: prints its base URL as the first line, serves until killed."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import uvloop

from tests.simulator.server import KEY, Simulator


async def serve(port: int, record: Path | None, key: str) -> None:
    simulator = Simulator(key=key, record=record)
    await simulator.start(port)
    print(simulator.url, flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--record", type=Path, help="file of JSON lines to append the record to")
    parser.add_argument("--key", default=KEY, help="the key that callers must send")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.port, arguments.record, arguments.key))


if __name__ == "__main__":
    main()
