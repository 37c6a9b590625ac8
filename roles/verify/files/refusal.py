"""Runs in the platform's image as its operator: a service must refuse a caller that the catalogue does not name."""

import asyncio
import os
import sys
from pathlib import Path

import grpc

from llm_platform.core.config.file import load
from llm_platform.rpc.client import open_channel

METHOD = "/llm.v1.Ledger/Reserve"  # head alone reserves money


async def answer(endpoint: str) -> grpc.StatusCode:
    async with open_channel(load(Path(os.environ["LLM_GATEWAY_CONFIG"]), os.environ), endpoint, "billing") as channel:
        try:
            await channel.unary_unary(METHOD)(b"", timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def main() -> int:
    endpoints = load(Path(os.environ["LLM_GATEWAY_CONFIG"]), os.environ).peers["billing"]
    answers = await asyncio.gather(*map(answer, endpoints))
    # One of a replica's two slots is empty
    if set(answers) - {grpc.StatusCode.UNAVAILABLE} == {grpc.StatusCode.PERMISSION_DENIED}:
        return 0
    print(f"billing answered {METHOD} of the operator with {[code.name for code in answers]}", file=sys.stderr)
    return 1


sys.exit(asyncio.run(main()))
