"""The mock provider that every contestant calls: as cheap as Python allows, so that it is not what is measured.

Answers ``POST …/chat/completions`` with 1 KB of JSON, or with ``EVENTS`` server-sent events ``GAP_SECONDS``
apart when the request streams; everything else (traces, say) with an empty 200.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop

EVENTS = 52
GAP_SECONDS = 0.005

_TEXT = "The quick brown fox jumps over the lazy dog. " * 14
_USAGE = '"usage":{"prompt_tokens":20,"completion_tokens":140,"total_tokens":160}'
_BODY = (
    '{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"gpt-4o-mini","choices":[{"index":0,'
    f'"message":{{"role":"assistant","content":"{_TEXT}"}},"finish_reason":"stop"}}],{_USAGE}}}'
).encode()
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
BUFFERED = _HEAD % len(_BODY) + _BODY
EMPTY = _HEAD % 2 + b"{}"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _event(payload: str) -> bytes:
    data = f"data: {payload}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


def _chunk(delta: str, finish: str) -> bytes:
    return _event(
        '{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini",'
        f'"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}'
    )


STREAM = [
    _chunk('{"role":"assistant","content":""}', "null"),
    *[_chunk('{"content":"token token "}', "null") for _ in range(EVENTS - 4)],
    _chunk("{}", '"stop"'),
    _event(
        '{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"gpt-4o-mini",'
        f'"choices":[],{_USAGE}}}'
    ),
    _event("[DONE]") + b"0\r\n\r\n",
]


class Connection(asyncio.Protocol):
    """One connection of a contestant."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.path = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is no subclass

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.path, self.body = url, b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        assert self.transport is not None
        if not self.path.endswith(b"/chat/completions"):
            self.transport.write(EMPTY)
        elif b'"stream":true' in self.body.replace(b'"stream": true', b'"stream":true'):
            self.transport.write(STREAM_HEAD)
            self.send_event(0)
        else:
            self.transport.write(BUFFERED)

    def send_event(self, index: int) -> None:
        assert self.transport is not None
        if self.transport.is_closing():
            return
        self.transport.write(STREAM[index])
        if index + 1 < len(STREAM):
            asyncio.get_running_loop().call_later(GAP_SECONDS, self.send_event, index + 1)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
