"""Tries a provider out: it is asked for its list of models, which costs nothing.

Source: https://platform.openai.com/docs/api-reference/models/list, which what is compatible has as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from llm_platform.core import config
from llm_platform.core.errors import PlatformError
from llm_platform.core.redaction import Secret
from llm_platform.http.client.client import ConnectError, HttpClient, Response, ResponseLostError, Target, read_body
from llm_platform.model_proxy import refusals
from llm_platform.model_proxy.keys import ProviderKey, ProviderKeys
from llm_platform.proto import providers_pb2

ANSWER_SECONDS = 4.0
"""Connecting included: below the deadline of whoever asks (rpc/client.py)."""
_LARGEST_LIST = 4 * 1024 * 1024
_MOST_MODELS = 1_000
_LONGEST_NAME = 256


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class Trial:
    """Makes such calls. They count neither for the provider's health nor for the ledger."""

    def __init__(self, keys: ProviderKeys, client: HttpClient, version: str) -> None:
        self._keys = keys
        self._client = client
        self._version = version

    async def run(self, name: str, definition: config.Provider) -> providers_pb2.TestReport:
        """How it went; never raises for what the provider does."""
        if definition.type == "echo":
            return providers_pb2.TestReport(
                ok=True, detail="It is built in and answers by itself.", models=definition.models
            )
        key, problem = await self._key(name, definition)
        if problem is not None:
            return providers_pb2.TestReport(detail=problem)
        began = time.perf_counter()
        report = await self._ask(name, definition, key)
        report.milliseconds = round((time.perf_counter() - began) * 1000)
        return report

    async def _key(self, name: str, definition: config.Provider) -> tuple[Secret[str] | None, str | None]:
        key: ProviderKey = self._keys.of(name, definition)
        if not key.current:
            try:
                async with asyncio.timeout(ANSWER_SECONDS / 2):
                    await self._keys.fetch([key])
            except (PlatformError, TimeoutError, OSError):
                return None, f"secrets-service could not be asked for {key.path}. Try again shortly."
        if key.current is None and not definition.base_url.startswith("http:"):
            return None, f"There is no key. Set the secret {key.path}."
        return key.current, None

    async def _ask(self, name: str, definition: config.Provider, key: Secret[str] | None) -> providers_pb2.TestReport:
        headers = [("authorization", f"Bearer {key.reveal()}")] if key else []
        try:
            target = Target(
                "GET",
                definition.base_url.rstrip("/") + "/models",
                [
                    ("user-agent", f"llm-platform/{self._version}"),
                    ("accept", "application/json"),
                    ("accept-encoding", "identity"),
                ],
            )
        except ValueError as error:
            return providers_pb2.TestReport(detail=f"base_url {error}.")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._client.request(
                    target, headers, b"", first_byte=ANSWER_SECONDS, silence=ANSWER_SECONDS
                )
                try:
                    body = await _whole(response)
                finally:
                    response.close()
        except ConnectError as error:
            return providers_pb2.TestReport(detail=f"It cannot be reached: {error}.")
        except TimeoutError:
            return providers_pb2.TestReport(detail=f"It did not answer within {ANSWER_SECONDS:g} s.")
        except ResponseLostError as lost:
            how = f"did not answer within {ANSWER_SECONDS:g} s" if lost.timeout else f"broke the connection: {lost}"
            return providers_pb2.TestReport(detail=f"It {how}.")
        return _judged(name, definition, response.status, body, response.header, key)


async def _whole(response: Response) -> bytes:
    """Empty for a body that is too large to be a list of models."""
    try:
        return await read_body(response, _LARGEST_LIST)
    except ValueError:
        return b""


def _judged(
    name: str,
    definition: config.Provider,
    status: int,
    body: bytes,
    header: Callable[[bytes], str | None],
    key: Secret[str] | None,
) -> providers_pb2.TestReport:
    if status == 404:
        return providers_pb2.TestReport(
            status=status, detail="It has nothing at base_url + /models: check base_url, which often ends in /v1."
        )
    if status != 200:
        failure = refusals.failure_of(name, status, refusals.parse(body), header, key)
        return providers_pb2.TestReport(status=status, detail=failure.error.message)
    try:
        listed = [model.id for model in msgspec.json.decode(body, type=_Models).data]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return providers_pb2.TestReport(
            status=status, detail="What answers is no list of models: check base_url, which often ends in /v1."
        )
    shown = [refusals.clean(each[:_LONGEST_NAME], key) or "" for each in sorted(listed)[:_MOST_MODELS]]
    return providers_pb2.TestReport(ok=True, status=status, detail=_found(definition, listed), models=shown)


def _found(definition: config.Provider, listed: list[str]) -> str:
    upstream = definition.models.values() if isinstance(definition.models, dict) else definition.models
    missing = sorted(set(upstream) - set(listed))
    if not missing:
        return f"It answers and lists {len(listed)} models."
    return f"It answers, but its list of {len(listed)} models lacks {', '.join(missing[:10])}."
