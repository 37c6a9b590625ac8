"""The built-in provider ``echo``: answers with what it was told, in OpenAI's shape, without any key.

Its rules, for people and tests that rely on them:

* It repeats the text of the last message.
* A token is a run of up to 12 non-blank characters with the blanks before it. Prompt tokens are those of all
  messages. ``max_tokens`` (``max_completion_tokens``) cuts the answer; ``finish_reason`` is then ``length``.
* With ``tools``, a message that says ``call NAME`` is answered by a call of that tool, as often as it is said, with the
  JSON object that follows the name as arguments, or ``{}``. A ``tool_choice`` that forces a call gets one.
* ``[[tokens=N]]`` in the message makes the answer N tokens long, ``[[delay_ms=N]]`` paces it; longer than the
  timeout, it is given up as a provider is that falls silent.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import msgspec

from llm_platform.core import config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy.openai_compatible import BufferedAnswer
from llm_platform.model_proxy.provider import Answer, AttemptError, Prepared, Result, Sending
from llm_platform.proto import common_pb2, inference_pb2

_TOKEN = re.compile(r"\s*\S{1,12}|\s+\Z")
_DIRECTIVE = re.compile(r"\[\[(tokens|delay_ms)=(\d{1,6})\]\]")
_LONGEST_DELAY_MS = 10_000
_MOST_TOKENS = 100_000

_encode = msgspec.json.Encoder().encode


class _Function(msgspec.Struct):
    name: str


class _Tool(msgspec.Struct):
    type: str
    function: _Function | None = None


class _Part(msgspec.Struct):
    type: str = "text"
    text: str = ""


class _Message(msgspec.Struct):
    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or ())


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Request(msgspec.Struct):
    messages: list[_Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream_options: _StreamOptions | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Tool | None = None


_decode = msgspec.json.Decoder(_Request).decode


class _Said(msgspec.Struct):
    """What echo says to a request, however it is then delivered."""

    id: str
    created: int
    model: str
    pieces: list[str]
    calls: list[tuple[str, str]]
    finish_reason: str
    usage: common_pb2.Usage
    delay: float


class Echo:
    """The provider."""

    type = "echo"

    def __init__(self, name: str, settings: config.Provider) -> None:
        self.name = name
        self.models = list(settings.models)

    def problem(self) -> str | None:
        return None

    def prepare(self, call: inference_pb2.Open, body: bytes) -> Prepared:
        return Prepared(body, call.stream, call.usage_wanted, call.route.upstream_model)

    async def send(self, request: Prepared, sending: Sending) -> Answer:
        sending.has_left()
        said = _say(request)
        sending.has_id(said.id)
        if request.stream:
            return _EchoedStream(self.name, said, request.usage_wanted, sending)
        if said.delay:
            await _wait(self.name, said.delay, sending.first_byte)
        sending.has_begun()
        return BufferedAnswer("application/json", {}, _encode(_completion(said)), said.usage)


class _EchoedStream:
    """The answer as events; all in one block unless it is paced."""

    status = 200
    content_type = "text/event-stream"

    def __init__(self, name: str, said: _Said, usage_wanted: bool, sending: Sending) -> None:
        self.headers: dict[str, str] = {}
        self.usage: common_pb2.Usage | None = None
        self.output_bytes = 0
        self.complete = False
        self._name = name
        self._sending = sending
        self._blocks = self._paced(said, usage_wanted)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._blocks

    def close(self) -> None:
        self.complete = True

    async def _paced(self, said: _Said, usage_wanted: bool) -> AsyncIterator[bytes]:
        *chunks, last = _chunks(said, usage_wanted)
        if said.delay:
            for chunk, size in chunks:
                await _wait(self._name, said.delay, self._sending.silence)
                self._begins()
                self.output_bytes += size
                yield chunk
            chunks = []
        self.output_bytes = sum(len(piece.encode()) for piece in said.pieces)
        self.usage = said.usage
        self.complete = True
        self._begins()
        yield b"".join(chunk for chunk, _ in chunks) + last[0]

    def _begins(self) -> None:
        if not self._sending.first_part_at:
            self._sending.has_begun()


async def _wait(name: str, delay: float, patience: float) -> None:
    """Pauses as a slow provider does, and is given up as one: what a caller asked for says nothing of its health."""
    await asyncio.sleep(min(delay, patience))
    if delay > patience:
        error = PlatformError(Code.PROVIDER_TIMEOUT, f"Provider {name} did not answer in time.")
        raise AttemptError(error, result=Result.TIMEOUT, status=200, unhealthy=False, written=True, charged=True)


def _say(request: Prepared) -> _Said:
    try:
        asked = _decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(str(error)) from None
    if not asked.messages:
        raise _refused("messages must not be empty")
    limit = asked.max_completion_tokens if asked.max_completion_tokens is not None else asked.max_tokens
    if limit is not None and limit < 1:
        raise _refused("max_tokens must be at least 1")
    text = asked.messages[-1].text
    directives = {name: int(value) for name, value in _DIRECTIVE.findall(text)}
    calls = _calls(asked, text)
    pieces = [] if calls else _TOKEN.findall(_DIRECTIVE.sub("", text).strip())
    if pieces and "tokens" in directives:
        wanted = min(directives["tokens"], _MOST_TOKENS)
        pieces = (pieces * (wanted // len(pieces) + 1))[:wanted]
    finish_reason = "tool_calls" if calls else "stop"
    if limit is not None and len(pieces) > limit:
        pieces, finish_reason = pieces[:limit], "length"
    spoken = len(pieces) + sum(len(_TOKEN.findall(f"{name} {arguments}")) for name, arguments in calls)
    return _Said(
        id="chatcmpl-" + hashlib.sha256(request.body).hexdigest()[:24],
        created=int(time.time()),
        model=request.model,
        pieces=pieces,
        calls=calls,
        finish_reason=finish_reason,
        usage=common_pb2.Usage(
            input_tokens=sum(len(_TOKEN.findall(message.text)) for message in asked.messages), output_tokens=spoken
        ),
        delay=min(directives.get("delay_ms", 0), _LONGEST_DELAY_MS) / 1000,
    )


def _calls(asked: _Request, text: str) -> list[tuple[str, str]]:
    """The tools to call: (name, arguments)."""
    names = {tool.function.name for tool in asked.tools or () if tool.function}
    if not names or asked.tool_choice == "none" or asked.messages[-1].role == "tool":
        return []
    calls = [
        (match[1], _object_at(text, match.end()))
        for match in re.finditer(r"\bcall\s+([\w.-]+)", text)
        if match[1] in names
    ]
    if calls:
        return calls
    if isinstance(asked.tool_choice, _Tool) and asked.tool_choice.function:
        return [(asked.tool_choice.function.name, "{}")]
    if asked.tool_choice == "required":
        return [(min(names), "{}")]
    return []


def _object_at(text: str, start: int) -> str:
    """The JSON object at this place of the text, as written; ``{}`` if there is none."""
    from json import JSONDecoder

    rest = text[start:].lstrip()
    try:
        parsed, end = JSONDecoder().raw_decode(rest)
    except ValueError:
        return "{}"
    return rest[:end] if isinstance(parsed, dict) else "{}"


def _completion(said: _Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if said.calls else "".join(said.pieces)}
    message["refusal"] = None
    if said.calls:
        message["tool_calls"] = [
            {"id": _call_id(said, index), "type": "function", "function": {"name": name, "arguments": arguments}}
            for index, (name, arguments) in enumerate(said.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish_reason}
    return _head(said, "chat.completion") | {"choices": [choice], "usage": _usage(said)}


def _chunks(said: _Said, usage_wanted: bool) -> Iterator[tuple[bytes, int]]:
    """The events of a stream, each with the bytes of text in it."""

    def event(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return b"data: %b\n\n" % _encode(_head(said, "chat.completion.chunk") | {"choices": [choice]})

    yield event({"role": "assistant", "content": None if said.calls else ""}), 0
    for piece in said.pieces:
        yield event({"content": piece}), len(piece.encode())
    for index, (name, arguments) in enumerate(said.calls):
        function = {"name": name, "arguments": ""}
        call = {"index": index, "id": _call_id(said, index), "type": "function", "function": function}
        yield event({"tool_calls": [call]}), len(name)
        yield event({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}), len(arguments)
    last = event({}, said.finish_reason)
    if usage_wanted:
        head = _head(said, "chat.completion.chunk") | {"choices": [], "usage": _usage(said)}
        last += b"data: %b\n\n" % _encode(head)
    yield last + b"data: [DONE]\n\n", 0


def _head(said: _Said, kind: str) -> dict[str, Any]:
    return {"id": said.id, "object": kind, "created": said.created, "model": said.model}


def _usage(said: _Said) -> dict[str, int]:
    prompt, completion = said.usage.input_tokens, said.usage.output_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _call_id(said: _Said, index: int) -> str:
    return f"call_{said.id[-16:]}{index}"


def _refused(reason: str) -> AttemptError:
    error = PlatformError(Code.PROVIDER_REFUSED, f"Invalid request: {reason}.", upstream_status=400)
    return AttemptError(error, status=400, unhealthy=False)
