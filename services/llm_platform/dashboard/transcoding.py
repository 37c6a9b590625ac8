"""Requests of the JSON API as messages, and messages as replies: protobuf's own JSON mapping.

Names are those of the .proto files, fields without a value are there too, and numbers of 64 bits are text.
Source: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from llm_platform.core.errors import Code, PlatformError
from llm_platform.dashboard.json_form import written
from llm_platform.dashboard.operations import Operation
from llm_platform.dashboard.problems import MissingEtagError

__all__ = ["encoded", "etag_of", "read", "written"]

_MAX_DEPTH = 20
_BOOLS = {"true": True, "false": False}
_Field = FieldDescriptor


def read(
    operation: Operation,
    path: Mapping[str, str],
    query: Iterable[tuple[str, str]],
    body: bytes,
    if_match: str | None,
) -> Message:
    """The request message. Raises INVALID_REQUEST with the field at fault, and MissingEtagError."""
    values: dict[str, Any] = _body(body) if operation.has_body else _query(operation.request, query)
    _check_names(operation.request, values)
    for name in operation.path_fields:
        if name in values:
            _refuse(f"{name} stands in the path.", name)
        values[name] = path[name]
    if operation.takes_etag:
        _add_etag(operation, values, if_match)
    for name in operation.text:
        if name in values:
            values[name] = _bytes(values[name], name)
    try:
        return json_format.ParseDict(values, operation.new_request(), max_recursion_depth=_MAX_DEPTH)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        _refuse(_said(error))


def encoded(reply: Any) -> bytes:
    return msgspec.json.encode(reply)


def etag_of(reply: Mapping[str, Any], body: bytes) -> str:
    """Of a resource its own; of anything else a weak one, so that what has not changed is not sent again."""
    own = reply.get("etag")
    return f'"{own}"' if own else f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'


def _body(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        values = json.loads(body, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        _refuse(f"The body is no JSON: {error}.")
    if not isinstance(values, dict):
        _refuse("The body is to be a JSON object.")
    return values


def _check_names(message: Descriptor, values: Mapping[str, Any]) -> None:
    """protobuf would take other spellings too, and names the fields in those."""
    for name, value in values.items():
        field = message.fields_by_name.get(name)
        if field is None:
            known = ", ".join(each.name for each in message.fields)
            _refuse(f"There is no field {name[:50]!r} in {message.name}; there are {known}.", name[:50])
        inner = field.message_type
        if inner is not None and not inner.GetOptions().map_entry:
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, dict):
                    _check_names(inner, each)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return values


def _query(request: Descriptor, query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in query:
        field = request.fields_by_name.get(name)
        if field is None or field.type == _Field.TYPE_MESSAGE:
            known = [each.name for each in request.fields if each.type != _Field.TYPE_MESSAGE]
            _refuse(f"There is no parameter {name[:50]!r} here; there are {', '.join(known) or 'none'}.", name[:50])
        value = _BOOLS.get(text, text) if field.type == _Field.TYPE_BOOL else text
        if field.is_repeated:
            values.setdefault(name, []).append(value)
        elif name in values:
            _refuse(f"{name} is given twice.", name)
        else:
            values[name] = value
    return values


def _add_etag(operation: Operation, values: dict[str, Any], if_match: str | None) -> None:
    if if_match is not None:
        values["etag"] = if_match.strip().removeprefix("W/").strip('"')
    elif operation.needs_etag:
        raise MissingEtagError


def _bytes(value: Any, name: str) -> str:
    if not isinstance(value, str):
        _refuse(f"{name} is text.", name)
    return base64.b64encode(value.encode()).decode()


def _said(error: Exception) -> str:
    """Without the names of Python and of packages: ``Failed to parse limits field: …``."""
    if isinstance(error, RecursionError):
        return "The body is nested too deeply."
    text = " ".join(str(error).split()).replace("llm.v1.", "")
    return text[:300] if text else "The request has a value that does not fit."


def _refuse(message: str, param: str | None = None) -> NoReturn:
    raise PlatformError(Code.INVALID_REQUEST, message, param=param)
