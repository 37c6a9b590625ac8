"""A billing replica in a process of its own that takes reservations and never answers them.

Its configuration comes as JSON in the first argument; it says on standard output what it is doing.
"""

from __future__ import annotations

import asyncio
import sys

from llm_platform.billing.interfaces import LEDGER
from llm_platform.core.config import Config
from llm_platform.core.lifecycle import Runtime
from llm_platform.proto import ledger_pb2
from llm_platform.rpc.server import serve
from tests.integration.rpc.conftest import Everything


class Silent(Everything):
    async def reserve(self, _request: ledger_pb2.ReserveBatch) -> None:
        say("call")
        await asyncio.Event().wait()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def main() -> None:
    runtime = Runtime(Config.model_validate_json(sys.argv[1]))
    await serve(runtime, {runtime.config.listen.grpc: [(LEDGER, Silent())]})
    say("waiting for calls")
    await asyncio.Event().wait()


asyncio.run(main())
