"""Runs in the platform's image as its operator: a service must refuse a caller that the catalogue does not name."""

import asyncio
import os
import sys
from pathlib import Path

from llm_platform.billing.interfaces import LEDGER
from llm_platform.core.config_file import load
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2
from llm_platform.rpc.client import Peers


async def main() -> int:
    async with Peers(load(Path(os.environ["LLM_GATEWAY_CONFIG"]), os.environ)) as peers:
        try:
            await peers.remote(LEDGER).reserve(ledger_pb2.ReserveBatch())
        except PlatformError as error:
            if error.code is Code.PERMISSION_DENIED:
                return 0
            print(f"billing failed otherwise: {error}", file=sys.stderr)
            return 1
    print("billing reserves money for a caller that may not", file=sys.stderr)
    return 1


sys.exit(asyncio.run(main()))
