"""What the tests of secrets-service call it with, whatever its store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from llm_platform.core.config import Config
from llm_platform.core.errors import PlatformError
from llm_platform.proto import secrets_pb2
from llm_platform.rpc.caller import caller
from llm_platform.secrets_service.service import SecretService

PATH = "llm/openai/api_key"
EVERYTHING = secrets_pb2.ListSecretsRequest()


async def put(secrets: SecretService, path: str = PATH, value: bytes = b"value", **fields: Any) -> int:
    return (await secrets.put(secrets_pb2.PutSecretRequest(path=path, value=value, **fields))).version


async def rotate(secrets: SecretService, path: str = PATH, value: bytes = b"value", **fields: Any) -> int:
    return (await secrets.rotate(secrets_pb2.RotateSecretRequest(path=path, value=value, **fields))).version


async def get(secrets: SecretService, path: str = PATH, version: int = 0) -> bytes:
    """Asks as model-proxy does: for what is valid beside it, too."""
    return (await secrets.get(secrets_pb2.GetSecretRequest(path=path, version=version, with_overlap=True))).value


async def overlapping(secrets: SecretService, path: str = PATH) -> list[tuple[int, bytes]]:
    """The newest, and what is still valid beside it."""
    found = await secrets.get(secrets_pb2.GetSecretRequest(path=path, with_overlap=True))
    return [(found.version, found.value), *((each.version, each.value) for each in found.overlapping)]


async def delete(secrets: SecretService, path: str = PATH, version: int = 0) -> None:
    await secrets.delete(secrets_pb2.DeleteSecretRequest(path=path, version=version))


async def disable(secrets: SecretService, version: int, path: str = PATH) -> None:
    await secrets.disable(secrets_pb2.SecretVersion(path=path, version=version))


async def enable(secrets: SecretService, version: int, path: str = PATH) -> None:
    await secrets.enable(secrets_pb2.SecretVersion(path=path, version=version))


async def describe(secrets: SecretService, path: str = PATH, **fields: Any) -> None:
    await secrets.describe(secrets_pb2.DescribeSecretRequest(path=path, **fields))


async def info(secrets: SecretService, path: str = PATH) -> secrets_pb2.SecretInfo:
    [found] = (await secrets.list(secrets_pb2.ListSecretsRequest(prefix=path))).items
    return found


async def refusal_of(call: Any) -> PlatformError:
    with pytest.raises(PlatformError) as refusal:
        await call
    return refusal.value


async def changes(watch: AsyncIterator[secrets_pb2.SecretInfo], number: int) -> list[tuple[str, int]]:
    async with asyncio.timeout(15):
        return [(info.path, info.current_version) for info in [await anext(watch) for _ in range(number)]]


async def told(watch: AsyncIterator[secrets_pb2.SecretInfo], path: str, version: int) -> None:
    """Returns when the watch says so. In Vault a write may be told twice: who made it is noted after it."""
    async with asyncio.timeout(15):
        async for info in watch:
            if (info.path, info.current_version) == (path, version):
                return


async def succeeds(call: Callable[[], Any]) -> Any:
    """Repeats the call until it does."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await call()
            except PlatformError:
                await asyncio.sleep(0.1)


async def is_refused(call: Callable[[], Any]) -> PlatformError:
    """Repeats the call until it no longer succeeds."""
    async with asyncio.timeout(20):
        while True:
            try:
                await call()
            except PlatformError as refusal:
                return refusal
            await asyncio.sleep(0.05)


@contextmanager
def called_by(service: str) -> Iterator[None]:
    token = caller.set(service)
    try:
        yield
    finally:
        caller.reset(token)


def audit_lines(config: Config) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (config.service.data_dir / "audit.log").read_text().splitlines()]


def audited(config: Config) -> list[tuple[str, str, int, str]]:
    return [(line["operation"], line["path"], line["version"], line["result"]) for line in audit_lines(config)]
