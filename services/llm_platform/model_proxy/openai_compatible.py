"""OpenAI's chat completions, as OpenAI and many others serve them.

The body is opaque but for its top level: ``model`` becomes the provider's name for it, and a stream is asked for its
usage. Whatever else the caller wrote goes on as it was written, unknown fields too, and nothing is added.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable

import msgspec

from llm_platform.core import config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.inference import Take
from llm_platform.core.redaction import Secret
from llm_platform.http.client.client import (
    ConnectError,
    HttpClient,
    Response,
    ResponseLostError,
    Target,
    TooManyConnectionsError,
)
from llm_platform.http.client.client import read_body as read_whole
from llm_platform.http.sse import EventSplitter, EventTooLargeError, data_of, events
from llm_platform.model_proxy import refusals, usage
from llm_platform.model_proxy.keys import ProviderKey
from llm_platform.model_proxy.provider import Answer, AttemptError, Prepared, Result, Sending
from llm_platform.model_proxy.request_ids import id_in_events, id_in_head
from llm_platform.proto import common_pb2, inference_pb2

_LARGEST_REPLY = 64 * 1024 * 1024
_LARGEST_ERROR = 256 * 1024
_DONE = re.compile(rb"^data: ?\[DONE\]", re.MULTILINE)
_WITH_USAGE = msgspec.Raw(b'{"include_usage":true}')

_decode_top = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class OpenAICompatible:
    """One provider that speaks ``POST {base_url}/chat/completions``."""

    type = "openai"

    def __init__(
        self, name: str, settings: config.Provider, key: ProviderKey, client: HttpClient, *, version: str
    ) -> None:
        """Raises ``ValueError`` for a ``base_url`` that is no plain http(s) URL."""
        self.name = name
        self.models = list(settings.models)
        self._key = key
        self._client = client
        self._keyless = settings.base_url.startswith("http:")
        self._target = Target(
            "POST",
            settings.base_url.rstrip("/") + "/chat/completions",
            [
                ("user-agent", f"llm-platform/{version}"),
                ("content-type", "application/json"),
                ("accept", "application/json, text/event-stream"),
                ("accept-encoding", "identity"),
            ],
        )

    def problem(self) -> str | None:
        """Only a server on plain HTTP (a vLLM or Ollama of one's own) may do without a key."""
        if self._key.current or (self._keyless and self._key.known):
            return None
        if not self._key.known:
            return f"secrets-service could not be asked for {self._key.path} yet"
        return f"no key: set it with: llm-gateway secrets set {self._key.path}"

    def prepare(self, call: inference_pb2.Open, body: bytes) -> Prepared:
        try:
            fields = _decode_top(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise PlatformError(Code.INVALID_REQUEST, "The body is not a JSON object.") from None
        fields["model"] = msgspec.Raw(_encode(call.route.upstream_model))
        if call.stream and not call.usage_wanted:
            fields["stream_options"] = _asking_for_usage(fields.get("stream_options"))
        return Prepared(_encode(fields), call.stream, call.usage_wanted, call.route.upstream_model)

    async def send(self, request: Prepared, sending: Sending) -> Answer:
        key = sending.key = sending.key or self._key.current
        headers = [("x-client-request-id", sending.attempt_id)]
        if key:
            headers.append(("authorization", f"Bearer {key.reveal()}"))
        try:
            response = await self._client.request(
                self._target,
                headers,
                request.body,
                first_byte=sending.first_byte,
                silence=sending.silence,
                on_sent=sending.has_left,
            )
        except ConnectError as error:
            raise self._unreachable(error) from None
        except ResponseLostError as lost:
            raise self._lost(lost) from None
        try:
            return await self._answer(request, response, sending)
        except BaseException:
            response.close()
            raise

    async def _answer(self, request: Prepared, response: Response, sending: Sending) -> Answer:
        request_id = id_in_head(response)
        sending.has_id(request_id)
        if response.status != 200:
            sending.has_begun()
            raise await self._refusal(response, sending.key)
        content_type = response.header(b"content-type") or "application/json"
        if (response.header(b"content-encoding") or "identity") != "identity":
            raise self._broken("compressed its answer although it was asked not to")
        headers = {"x-provider-request-id": sending.provider_request_id} if request_id else {}
        if request.stream and content_type.startswith("text/event-stream"):
            answer = StreamedAnswer(self, response, headers, request.usage_wanted)
            await answer.begin()
            sending.has_begun()
            if not request_id:
                sending.has_id(answer.id)
            return answer
        sending.has_begun()
        try:
            body = await read_whole(response, _LARGEST_REPLY)
            reading = usage.read(body)
        except ResponseLostError as lost:
            raise self._lost(lost) from None
        except ValueError:
            raise self._broken("gave an answer that is not a JSON object, or too large") from None
        if reading.error is not None:
            raise self.error_in_answer(reading.error, charged=False)
        if not request_id:
            sending.has_id(reading.id)
        return BufferedAnswer(content_type, headers, body, reading.usage)

    async def _refusal(self, response: Response, key: Secret[str] | None) -> AttemptError:
        try:
            body = await read_whole(response, _LARGEST_ERROR)
        except (ResponseLostError, ValueError):
            body = b""
        return refusals.failure_of(self.name, response.status, refusals.parse(body), response.header, key)

    def _unreachable(self, error: ConnectError) -> AttemptError:
        if isinstance(error, TooManyConnectionsError):
            refused = PlatformError(Code.OVERLOADED, "Too many calls to this provider are open.", retry_after=1)
            return AttemptError(refused, unhealthy=False)
        return AttemptError(
            PlatformError(Code.PROVIDER_FAILED, f"Provider {self.name} cannot be reached: {error}."), retry=True
        )

    def _lost(self, lost: ResponseLostError) -> AttemptError:
        """A timeout is not retried: the time is up, and the provider may be at work on it."""
        if lost.timeout:
            error = PlatformError(Code.PROVIDER_TIMEOUT, f"Provider {self.name} did not answer in time.")
            return AttemptError(error, result=Result.TIMEOUT, written=lost.written, charged=lost.written)
        error = PlatformError(Code.PROVIDER_FAILED, f"Provider {self.name} broke the connection: {lost}.")
        return AttemptError(
            error,
            retry=True,
            unhealthy=not lost.stale,
            written=lost.written,
            charged=lost.written and not lost.stale,
        )

    def _broken(self, how: str) -> AttemptError:
        error = PlatformError(Code.PROVIDER_FAILED, f"Provider {self.name} {how}.")
        return AttemptError(error, status=200, written=True, charged=True)

    def lost_midway(self, lost: ResponseLostError | None) -> AttemptError:
        if lost is not None and lost.timeout:
            error = PlatformError(
                Code.PROVIDER_TIMEOUT, f"Provider {self.name} fell silent in the middle of its answer."
            )
            return AttemptError(error, result=Result.TIMEOUT, status=200, written=True, charged=True)
        error = PlatformError(Code.PROVIDER_FAILED, f"Provider {self.name} broke its answer off.")
        return AttemptError(error, status=200, retry=True, written=True, charged=True)

    def error_in_answer(self, raw: bytes, *, charged: bool) -> AttemptError:
        """An error that came with status 200."""
        error = refusals.parse(b'{"error":%b}' % raw)
        limited = "rate_limit_exceeded" in {str(error.code), error.type} or error.code == 429
        told = refusals.clean(error.message, self._key.current) or "no reason given"
        return AttemptError(
            PlatformError(
                Code.PROVIDER_RATE_LIMITED if limited else Code.PROVIDER_FAILED,
                f"Provider {self.name} failed while answering: {told}",
            ),
            status=200,
            retry=True,
            unhealthy=not limited,
            written=True,
            charged=charged,
        )


class BufferedAnswer:
    """A whole answer, read before anything of it is passed on."""

    status = 200

    def __init__(
        self, content_type: str, headers: dict[str, str], body: bytes, counted: common_pb2.Usage | None
    ) -> None:
        self.content_type = content_type
        self.headers = headers
        self.body: bytes | None = body
        self.usage = counted
        self.output_bytes = 0 if counted is not None and counted.output_tokens else usage.text_bytes(body)
        self.complete = True

    def __aiter__(self) -> BufferedAnswer:
        return self

    async def __anext__(self) -> bytes:
        body, self.body = self.body, None
        if body is None:
            raise StopAsyncIteration
        return body

    def close(self) -> None:
        self.body = None


class _AnswerEnded(Exception):  # noqa: N818 - no error: it ends ``pour``
    """The last event came, or one that says that the answer failed."""


class StreamedAnswer:
    """A stream of events, passed on in the blocks in which they came."""

    status = 200

    def __init__(
        self, provider: OpenAICompatible, response: Response, headers: dict[str, str], usage_wanted: bool
    ) -> None:
        self.content_type = "text/event-stream"
        self.headers = headers
        self.usage: common_pb2.Usage | None = None
        self.output_bytes = 0
        self.complete = False
        self._provider = provider
        self._response = response
        self._usage_wanted = usage_wanted
        self._splitter = EventSplitter()
        self._first = b""
        self._failure: AttemptError | None = None

    async def begin(self) -> None:
        """Waits for the first events: until they are here, another attempt can take this one's place."""
        self._first = await self._next()

    @property
    def id(self) -> str:
        """The provider's, once it has begun; empty: it did not say."""
        return id_in_events(self._first)

    def __aiter__(self) -> StreamedAnswer:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        if self.complete:
            raise StopAsyncIteration
        block = await self._next()
        if not block:
            raise StopAsyncIteration
        return block

    async def pour(self, take: Take) -> None:
        """See ``core.inference.pour``. Raises ``AttemptError``."""

        def look(part: bytes) -> Awaitable[None] | None:
            block = self._splitter.feed(part)
            passed_on = self._look_at(block) if block else b""
            room = take(passed_on) if passed_on else None
            if self.complete or self._failure is not None:
                raise _AnswerEnded
            return room

        first, self._first = self._first, b""
        if first and (room := take(first)) is not None:
            await room
        if self.complete:
            return
        try:
            await self._response.pour(look)
        except _AnswerEnded:
            if self._failure is not None:
                raise self._failure from None
        except ResponseLostError as lost:
            raise self._provider.lost_midway(lost) from None
        except EventTooLargeError:
            raise self._provider.lost_midway(None) from None
        else:
            raise self._provider.lost_midway(None)

    def close(self) -> None:
        if not self.complete:
            self._response.close()

    async def _next(self) -> bytes:
        """The next block to pass on; nothing after the last. Raises ``AttemptError``."""
        while not self.complete:
            if self._failure is not None:
                raise self._failure
            try:
                block = self._splitter.feed(await anext(self._response))
            except StopAsyncIteration:
                raise self._provider.lost_midway(None) from None
            except ResponseLostError as lost:
                raise self._provider.lost_midway(lost) from None
            except EventTooLargeError:
                raise self._provider.lost_midway(None) from None
            if block and (passed_on := self._look_at(block)):
                return passed_on
        return b""

    def _look_at(self, block: bytes) -> bytes:
        """Reads what matters of a block without parsing its events, unless one of them has something to say."""
        self.output_bytes += usage.text_bytes(block)
        if b"[DONE]" in block and _DONE.search(block):
            self.complete = True
            self._response.leave()
        if b'"error"' in block or usage.mentions_usage(block):
            return self._take_apart(block)
        return block

    def _take_apart(self, block: bytes) -> bytes:
        passed_on = []
        for event in events(block):
            data = data_of(event)
            if data and data != b"[DONE]":
                try:
                    reading = usage.read(data)
                except ValueError:
                    passed_on.append(event)  # not ours to judge: the caller's SDK will
                    continue
                if reading.error is not None:
                    self.complete = False
                    self._failure = self._provider.error_in_answer(reading.error, charged=self.output_bytes > 0)
                    break
                if reading.usage is not None:
                    self.usage = reading.usage
                    if not reading.has_choices and not self._usage_wanted:
                        continue
            passed_on.append(event)
        return b"".join(passed_on)


def _asking_for_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    if options is None:
        return _WITH_USAGE
    try:
        fields = _decode_top(options)
    except msgspec.DecodeError:  # null, or nothing that a provider would take: let it say so
        return _WITH_USAGE if bytes(options) == b"null" else options
    fields["include_usage"] = msgspec.Raw(b"true")
    return msgspec.Raw(_encode(fields))
