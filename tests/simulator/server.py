"""The simulator's HTTP server."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from tests.simulator.answer import Answer, answer_to
from tests.simulator.behaviour import Behaviour, behaviour_of
from tests.simulator.export import export
from tests.simulator.record import Call, Record
from tests.simulator.validation import RefusedError, validated

KEY = "sk-simulator-0123456789abcdefABCDEF"
_LONGEST_STALL = 120.0
_LARGEST_BODY = 64 * 1024 * 1024


class Simulator:
    """Serves on ``127.0.0.1``; ``url`` is the base URL to configure."""

    def __init__(self, *, key: str = KEY, record: Path | None = None) -> None:
        self.key = key
        self.keys = {key}
        """Any of them is taken."""
        self.record = Record(record)
        self.behaviours: dict[str, Behaviour] = {}
        self.port = 0
        self._failed: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def behave(self, model: str, **fields: Any) -> None:
        """From now on the model behaves so."""
        self.behaviours[model] = Behaviour(**fields)
        self._failed[model] = 0

    def call(self, attempt_id: str) -> Call:
        """Raises ``KeyError`` if the attempt never arrived."""
        return self.record.of(attempt_id)

    async def start(self, port: int = 0) -> None:
        application = web.Application(client_max_size=_LARGEST_BODY)
        application.add_routes(
            [
                web.post("/v1/chat/completions", self._complete),
                web.get("/v1/models", self._list_models, allow_head=False),
                web.get("/record", self._show_record),
                web.delete("/record", self._clear_record),
                web.get("/usage-export", self._show_export),
                web.put("/behaviour/{model}", self._set_behaviour),
                web.put("/keys", self._set_keys),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=False, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self.record.close()

    async def _show_record(self, _request: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(self.record.calls), content_type="application/json")

    async def _show_export(self, request: web.Request) -> web.Response:
        lines = export(self.record.calls, request.query.get("provider", ""))
        return web.Response(body=b"".join(lines), content_type="application/jsonl")

    async def _clear_record(self, _request: web.Request) -> web.Response:
        self.record.clear()
        return web.Response(status=204)

    async def _set_behaviour(self, request: web.Request) -> web.Response:
        model = request.match_info["model"]
        try:
            self.behaviours[model] = msgspec.json.decode(await request.read(), type=Behaviour)
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=str(error))
        self._failed[model] = 0
        return web.Response(status=204)

    async def _set_keys(self, request: web.Request) -> web.Response:
        """A JSON list: the keys that are taken from now on."""
        try:
            self.keys = set(msgspec.json.decode(await request.read(), type=list[str]))
        except msgspec.DecodeError as error:
            return web.Response(status=400, text=str(error))
        return web.Response(status=204)

    async def _list_models(self, request: web.Request) -> web.Response:
        """Those that were given a behaviour."""
        try:
            if await request.read():
                raise RefusedError(400, "A list of models takes no body.")
            self._check_key(request)
        except RefusedError as refused:
            return _error(refused.status, refused.message, refused.code, refused.param)
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "simulator"} for name in self.behaviours]
        return web.json_response({"object": "list", "data": listed})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            attempt_id = self._authenticated(request)
            asked = validated(body)
            try:
                behaviour = behaviour_of(asked["model"], self.behaviours)
            except ValueError as error:
                raise RefusedError(404, str(error), code="model_not_found") from None
        except RefusedError as refused:
            return _error(refused.status, refused.message, refused.code, refused.param)
        call = self.record.open(attempt_id, asked["model"], asked.get("stream") is True)
        try:
            return await self._serve(request, asked, behaviour, call)
        finally:
            if call.state == "opened":
                call.state = "aborted"
            call.ended_at = time.monotonic()
            self.record.note(call)

    def _check_key(self, request: web.Request) -> None:
        if len(request.headers.getall("Authorization", ())) > 1:
            raise RefusedError(400, "Authorization was sent twice.")
        given = request.headers.get("Authorization", "")
        if not given.startswith("Bearer "):
            raise RefusedError(401, "You didn't provide an API key.")
        shown = given.removeprefix("Bearer ")
        if shown not in self.keys:
            raise RefusedError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")

    def _authenticated(self, request: web.Request) -> str:
        """The attempt's id, once the headers are in order."""
        self._check_key(request)
        if request.content_type != "application/json":
            raise RefusedError(400, "Invalid content type; it must be application/json.")
        attempt_id = request.headers.get("X-Client-Request-Id", "")
        if not attempt_id.isascii() or len(attempt_id) > 512 or not attempt_id:
            raise RefusedError(400, "X-Client-Request-Id must be ASCII, at most 512 characters.")
        return attempt_id

    async def _serve(
        self, request: web.Request, asked: dict[str, Any], behaviour: Behaviour, call: Call
    ) -> web.StreamResponse:
        if behaviour.first_byte:
            await asyncio.sleep(behaviour.first_byte)
        if self._fails_now(asked["model"], behaviour.refuse_connection):
            return _cut(request)
        if self._fails_now(asked["model"], behaviour.fail):
            call.status, call.state, call.request_id = behaviour.status, "refused", behaviour.request_id
            return self._failure(request, behaviour)
        if behaviour.garbage:
            return _cut(request, b"\x00\x01 this is no HTTP\r\n\r\n")
        answer = answer_to(asked, behaviour, len(self.record.calls))
        call.status = 200
        call.request_id = behaviour.request_id or answer.id
        call.prompt_tokens = answer.usage["prompt_tokens"]
        call.cached_tokens = answer.usage["prompt_tokens_details"]["cached_tokens"]
        if call.stream and not behaviour.ignore_stream:
            options = asked.get("stream_options") or {}
            return await _Stream(request, behaviour, call).send(answer, bool(options.get("include_usage")))
        await asyncio.sleep(behaviour.pace * len(answer.pieces))
        _charge(call, answer)
        call.client_gone = request.transport is None
        call.state = "completed"
        body = json.dumps(answer.completion(), ensure_ascii=False).encode()
        if behaviour.cut_after >= 0:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            return _cut(request, head + body[: len(body) // 2])
        response = web.Response(body=body, content_type="application/json", headers={"x-request-id": call.request_id})
        if not behaviour.keep_alive:
            response.force_close()
        return response

    def _fails_now(self, model: str, times: int) -> bool:
        if times < 0:
            return True
        if self._failed[model] >= times:
            return False
        self._failed[model] += 1
        return True

    def _failure(self, request: web.Request, behaviour: Behaviour) -> web.Response:
        shown = request.headers["Authorization"].removeprefix("Bearer ")
        message = (behaviour.message or "The server had an error.").replace("{key}", shown)
        response = _error(behaviour.status, message, behaviour.code or None)
        for name, value in (
            ("retry-after", behaviour.retry_after),
            ("retry-after-ms", behaviour.retry_after_ms),
            ("x-should-retry", behaviour.should_retry),
            ("x-request-id", behaviour.request_id),
        ):
            if value:
                response.headers[name] = value
        return response


class _Stream:
    """One stream. It is produced to its end, and charged, whether anyone reads it or not."""

    def __init__(self, request: web.Request, behaviour: Behaviour, call: Call) -> None:
        self._request = request
        self._behaviour = behaviour
        self._call = call
        self._response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        if behaviour.request_id:
            self._response.headers["x-request-id"] = behaviour.request_id
        if not behaviour.keep_alive:
            self._response.force_close()

    async def send(self, answer: Answer, usage_asked: bool) -> web.StreamResponse:
        behaviour = self._behaviour
        try:
            await self._response.prepare(self._request)
        except ConnectionError:
            self._call.client_gone = True
        for number, chunk in enumerate(answer.chunks(behaviour, usage_asked)):
            if number == behaviour.cut_after:
                return _cut(self._request, response=self._response)
            if number == behaviour.stall_after:
                await self._stall()
            if number == behaviour.error_after:
                error = {"message": "The model failed.", "type": "server_error", "param": None, "code": None}
                await self._write(b"data: " + json.dumps({"error": error}).encode())
                return await self._end()
            if behaviour.pace:
                await asyncio.sleep(behaviour.pace)
            if 0 < number <= len(answer.pieces):
                self._call.completion_tokens = number
            if behaviour.comments:
                await self._write(b": still here")
                await self._write(b"data:")
            await self._write(b"data: " + json.dumps(chunk, ensure_ascii=False).encode())
        _charge(self._call, answer)
        self._call.state = "completed"
        if behaviour.done:
            await self._write(b"data: [DONE]")
        return await self._end()

    async def _end(self) -> web.StreamResponse:
        if not self._call.client_gone:
            await self._response.write_eof()
        return self._response

    async def _write(self, event: bytes) -> None:
        end = b"\r\n\r\n" if self._behaviour.crlf else b"\n\n"
        event += end
        step = self._behaviour.split or len(event)
        for at in range(0, len(event), step):
            if self._call.client_gone:
                return
            try:
                await self._response.write(event[at : at + step])
            except ConnectionError:
                self._call.client_gone = True

    async def _stall(self) -> None:
        """Until the client is gone."""
        for _ in range(int(_LONGEST_STALL * 20)):
            if self._request.transport is None:
                self._call.client_gone = True
                return
            await asyncio.sleep(0.05)


def _charge(call: Call, answer: Answer) -> None:
    call.completion_tokens = answer.usage["completion_tokens"]
    call.reasoning_tokens = answer.usage["completion_tokens_details"]["reasoning_tokens"]


def _cut(request: web.Request, last: bytes = b"", response: web.StreamResponse | None = None) -> web.StreamResponse:
    """Ends the connection, after some last bytes."""
    if request.transport is not None:
        if last:
            request.transport.write(last)
            request.transport.close()
        else:
            request.transport.abort()
    return response or web.Response(status=500)


def _error(status: int, message: str, code: str | None = None, param: str | None = None) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return web.json_response(body, status=status)


@asynccontextmanager
async def running(*, key: str = KEY, record: Path | None = None) -> AsyncIterator[Simulator]:
    """A simulator in this process, on a free port."""
    simulator = Simulator(key=key, record=record)
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.stop()
