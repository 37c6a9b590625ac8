"""A process with an open call, for a test to kill: billing is away, one call has ended, another streams."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from llm_platform.proto import inference_pb2
from tests.simulator import Simulator
from tests.unit.model_proxy.parts import MemoryLedger, opened, read, request


class _Elsewhere(Simulator):
    """The simulator of the test's process."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.port = int(urlsplit(url).port or 0)


async def _run(data_dir: Path, url: str, finished: inference_pb2.Open, streaming: inference_pb2.Open) -> None:
    ledger = MemoryLedger()
    ledger.down = True
    async with opened(data_dir, ledger, _Elsewhere(url)) as proxy:
        await read(await proxy.inference.open(finished, request(finished.model)))
        reply = await proxy.inference.open(streaming, request(streaming.model, stream=True))
        await anext(aiter(reply))
        print("streaming", flush=True)
        await read(reply)


def main() -> None:
    data_dir, url, finished, streaming = sys.argv[1:]
    calls = (inference_pb2.Open.FromString(bytes.fromhex(each)) for each in (finished, streaming))
    asyncio.run(_run(Path(data_dir), url, *calls))
