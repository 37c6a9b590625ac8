"""OpenAI's Chat Completions: the head of a call, errors and models.

Source: https://platform.openai.com/docs/api-reference, and the ``openai`` SDK, which retries 408, 409,
429 and 5xx unless ``x-should-retry`` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, NoReturn

import msgspec

from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.dialects import CallHead
from llm_platform.http.dialects.prompt_bound import prompt_tokens_bound
from llm_platform.proto import routing_pb2

# Far above what any model answers, and small enough that a count times a price fits 64 bits.
_MOST_TOKENS = 100_000_000

_Tokens = Annotated[int, msgspec.Meta(ge=1, le=_MOST_TOKENS)]


class _Message(msgspec.Struct, gc=False):
    role: str


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class _Chat(msgspec.Struct, gc=False):
    messages: Annotated[list[_Message], msgspec.Meta(min_length=1)]
    model: Annotated[str, msgspec.Meta(max_length=256)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: _Tokens | None = None
    max_completion_tokens: _Tokens | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None


_decode = msgspec.json.Decoder(_Chat).decode
_encode = msgspec.json.Encoder().encode

_TYPES: Final[dict[Code, str]] = {
    Code.UNAUTHENTICATED: "authentication_error",
    Code.PERMISSION_DENIED: "permission_error",
    Code.RATE_LIMITED: "rate_limit_error",
    Code.BUDGET_EXCEEDED: "insufficient_quota",
    Code.PROVIDER_RATE_LIMITED: "rate_limit_error",
}
# The names that OpenAI's own clients test for; every other failure keeps the platform's name.
_CODES: Final[dict[Code, str]] = {
    Code.UNAUTHENTICATED: "invalid_api_key",
    Code.RATE_LIMITED: "rate_limit_exceeded",
    Code.PROVIDER_RATE_LIMITED: "rate_limit_exceeded",
    Code.BUDGET_EXCEEDED: "budget_spend_limit_exceeded",
}

_FIELD = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `(\w+)`")


class OpenAI:
    """The dialect of ``/v1/chat/completions`` and ``/v1/models``."""

    name = "openai.chat"

    def read(self, body: bytes) -> CallHead:
        chat = _parse(body)
        choices = chat.n or 1
        return CallHead(
            model=chat.model or "",
            stream=bool(chat.stream),
            usage_wanted=bool(chat.stream_options and chat.stream_options.include_usage),
            # Providers differ in which name they read: the larger one is the bound.
            max_output_tokens=max(chat.max_completion_tokens or 0, chat.max_tokens or 0) * choices,
            choices=choices,
            prompt_tokens_bound=prompt_tokens_bound(body),
        )

    def error(self, error: PlatformError) -> bytes:
        return _encode({"error": _rendered(error)})

    def error_event(self, error: PlatformError) -> bytes:
        return b"data: " + self.error(error) + b"\n\n"

    def models(self, models: Sequence[routing_pb2.Model]) -> bytes:
        return _encode({"object": "list", "data": [_listed(model) for model in models]})

    def model(self, model: routing_pb2.Model) -> bytes:
        return _encode(_listed(model))


def _parse(body: bytes) -> _Chat:
    try:
        # The decoder skips the strings it does not build, so it would let broken UTF-8 through to a provider.
        if not body.isascii():
            body.decode()
        return _decode(body)
    except msgspec.ValidationError as error:
        _refuse_field(error)
    except msgspec.DecodeError as error:
        raise PlatformError(Code.INVALID_REQUEST, f"The body is not valid JSON: {error}.") from None
    except UnicodeDecodeError as error:
        raise PlatformError(
            Code.INVALID_REQUEST, f"The body is not valid UTF-8: {error.reason} at byte {error.start}."
        ) from None
    except RecursionError:
        raise PlatformError(Code.INVALID_REQUEST, "The body's JSON is nested too deeply.") from None


def _refuse_field(error: msgspec.ValidationError) -> NoReturn:
    text = str(error)
    path = _FIELD.search(text)
    param = path[1] if path else ""
    if missing := _MISSING.match(text):
        param = f"{param}.{missing[1]}" if param else missing[1]
        raise PlatformError(Code.INVALID_REQUEST, f"Missing required parameter: '{param}'.", param=param) from None
    reason = _FIELD.sub("", text)
    if not param:
        raise PlatformError(Code.INVALID_REQUEST, f"The body must be a JSON object: {reason}.") from None
    raise PlatformError(Code.INVALID_REQUEST, f"Invalid value for '{param}': {reason}.", param=param) from None


def _rendered(error: PlatformError) -> dict[str, Any]:
    default = "server_error" if error.status >= 500 else "invalid_request_error"
    return {
        "message": error.message,
        "type": _TYPES.get(error.code, default),
        "param": error.param,
        "code": _CODES.get(error.code, error.code.value),
    }


def _listed(model: routing_pb2.Model) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}
