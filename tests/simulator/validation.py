"""What OpenAI's API refuses, by the openai SDK's own request models."""

from __future__ import annotations

import json
import typing
from typing import Any

import pydantic
import typing_extensions
from openai.types.chat import completion_create_params as params

_ROLES = {"developer", "system", "user", "assistant", "tool", "function"}


class RefusedError(Exception):
    """A request that the API answers with an error: its status and the error's fields."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param


def _forbid_unknown_fields(kind: Any, seen: set[int]) -> None:
    """The SDK's models are TypedDicts, which let unknown fields pass; the API does not."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    if typing_extensions.is_typeddict(kind):
        kind.__pydantic_config__ = pydantic.ConfigDict(extra="forbid")
        for field in typing_extensions.get_type_hints(kind).values():
            _forbid_unknown_fields(field, seen)
    for argument in typing.get_args(kind):
        _forbid_unknown_fields(argument, seen)


for _kind in (params.CompletionCreateParamsNonStreaming, params.CompletionCreateParamsStreaming):
    _forbid_unknown_fields(_kind, set())
_buffered = pydantic.TypeAdapter(params.CompletionCreateParamsNonStreaming)
_streaming = pydantic.TypeAdapter(params.CompletionCreateParamsStreaming)


def validated(body: bytes) -> dict[str, Any]:
    """The request, if the API would take it. Raises ``RefusedError``."""
    try:
        request = json.loads(body, object_pairs_hook=_without_repeats)
    except ValueError as error:
        raise RefusedError(400, f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(request, dict):
        raise RefusedError(400, "The body must be a JSON object.")
    _check_roles(request.get("messages"))
    adapter: pydantic.TypeAdapter[Any] = _streaming if request.get("stream") is True else _buffered
    try:
        _exhaust(adapter.validate_json(body, strict=True), request)
    except pydantic.ValidationError as error:
        raise _refusal(error) from None
    _check_rules(request)
    return request


def _check_roles(messages: Any) -> None:
    """A message of an unknown kind would be refused for not being each of the known ones."""
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict) and message.get("role") not in _ROLES:
            raise RefusedError(400, f"Invalid value: '{message.get('role')}'.", param=f"messages[{index}].role")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _exhaust(value: Any, given: Any) -> None:
    """Iterables are validated only as they are read. (A text passes for one, which the API would take as a text.)"""
    if isinstance(value, dict):
        for name, item in value.items():
            _exhaust(item, given[name])
    elif isinstance(given, list):
        for item, given_item in zip(value, given, strict=True):
            _exhaust(item, given_item)


def _refusal(error: pydantic.ValidationError) -> RefusedError:
    first = min(error.errors(), key=lambda each: -len(each["loc"]) if each["type"] != "literal_error" else 0)
    field = ".".join(str(part) for part in first["loc"] if not str(part)[:1].isupper())
    if first["type"] == "extra_forbidden":
        return RefusedError(400, f"Unrecognized request argument supplied: {field}", param=field)
    if first["type"] == "missing":
        return RefusedError(
            400, f"Missing required parameter: '{field}'.", code="missing_required_parameter", param=field
        )
    return RefusedError(400, f"Invalid type for '{field}': {first['msg']}.", code="invalid_type", param=field)


def _check_rules(request: dict[str, Any]) -> None:
    """What the API checks beyond types."""
    if not request["messages"]:
        raise RefusedError(400, "Invalid 'messages': empty array.", code="empty_array", param="messages")
    if "stream_options" in request and request.get("stream") is not True:
        raise RefusedError(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    if "tool_choice" in request and not request.get("tools"):
        raise RefusedError(400, "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
    for field in ("max_tokens", "max_completion_tokens", "n"):
        if request.get(field) is not None and request[field] < 1:
            raise RefusedError(
                400, f"Invalid '{field}': must be at least 1.", code="integer_below_min_value", param=field
            )
    asked: set[str] = set()
    for message in request["messages"]:
        if message["role"] == "assistant":
            asked |= {call["id"] for call in message.get("tool_calls") or ()}
        elif message["role"] == "tool" and message["tool_call_id"] not in asked:
            raise RefusedError(400, "A message with role 'tool' must answer a preceding message with 'tool_calls'.")
