"""The OpenAPI documents of the dashboards, made from their operations and the services' contract.

``python -m llm_platform.dashboard.openapi`` writes them into the packages, which serve them; it needs the compiler of
the .proto files for their comments. Sources: https://spec.openapis.org/oas/v3.1.1, and for how messages look in JSON
https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from llm_platform.dashboard.operations import Operation

PROTOS = Path(__file__).parents[2] / "proto"
PACKAGES = Path(__file__).parents[1]

_F = FieldDescriptor
_TYPES: Mapping[int, dict[str, Any]] = {
    _F.TYPE_BOOL: {"type": "boolean"},
    _F.TYPE_STRING: {"type": "string"},
    _F.TYPE_BYTES: {"type": "string", "format": "byte"},
    _F.TYPE_UINT32: {"type": "integer", "format": "int64", "minimum": 0},
    _F.TYPE_INT32: {"type": "integer", "format": "int32"},
    _F.TYPE_INT64: {"type": "string", "format": "int64"},
    _F.TYPE_UINT64: {"type": "string", "format": "uint64"},
    _F.TYPE_DOUBLE: {"type": "number", "format": "double"},
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is from a closed vocabulary.",
    "required": ["type", "title", "status", "detail", "code", "fault", "request_id"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail", "code", "request_id", "param")},
        "fault": {"type": "string", "enum": ["caller", "policy", "platform", "provider"]},
        "status": {"type": "integer"},
        "retry_after": {"type": "integer", "description": "Seconds."},
    },
}
Comments = Mapping[str, str]
"""Full name of a field -> what the .proto file says of it."""


def document(title: str, operations: Iterable[Operation], comments: Comments) -> dict[str, Any]:
    """The OpenAPI document of ``operations``."""
    listed = list(operations)
    paths: dict[str, Any] = {}
    for operation in listed:
        path = operation.path.replace("...}", "}")
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, comments)
    messages = {message.name: message for operation in listed for message in _messages(operation)}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1", "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"session": []}, {"key": []}],
        "paths": paths,
        "components": {
            "schemas": {
                **{name: _schema(messages[name], comments) for name in sorted(messages)},
                "Problem": _PROBLEM,
            },
            "responses": {
                "Problem": {
                    "description": "It failed.",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "llm_session",
                    "description": "Of POST /api/session (__Host-llm_session over TLS). Changes need X-CSRF-Token too.",
                },
                "key": {"type": "http", "scheme": "bearer", "description": "An API key of a service account."},
            },
        },
    }


def _operation(operation: Operation, comments: Comments) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": f"{operation.port.service.name}_{operation.rpc}_{operation.method.lower()}",
        "tags": [operation.port.service.name],
        "summary": operation.summary,
        "parameters": list(_parameters(operation, comments)),
        "responses": {
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{operation.reply.name}"}}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    taken = {*operation.path_fields, "etag"}
    fields = [field for field in operation.request.fields if field.name not in taken]
    if operation.has_body and fields:
        properties = {field.name: _property(field, comments) for field in fields}
        for name in operation.text:
            properties[name] = {"type": "string", "format": "password", "writeOnly": True}
        body = {"type": "object", "additionalProperties": False, "properties": properties}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return made


def _parameters(operation: Operation, comments: Comments) -> Iterator[dict[str, Any]]:
    for name in operation.path_fields:
        field = operation.request.fields_by_name[name]
        yield {"name": name, "in": "path", "required": True, "schema": _property(field, comments)}
    if operation.takes_etag:
        about = "The ETag of what the change is based on."
        yield _parameter("If-Match", "header", {"type": "string"}, about) | {"required": operation.needs_etag}
    if not operation.has_body:
        for field in operation.request.fields:
            if field.name not in (*operation.path_fields, "etag") and field.type != _F.TYPE_MESSAGE:
                schema = _property(field, comments)
                yield _parameter(field.name, "query", schema, schema.pop("description", ""))


def _parameter(name: str, place: str, schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema, **({"description": about} if about else {})}


def _messages(operation: Operation) -> Iterator[Descriptor]:
    yield from _reached(operation.reply)
    for field in operation.request.fields:
        if field.type == _F.TYPE_MESSAGE and not _is_map(field):
            yield from _reached(_message(field))


def _reached(message: Descriptor) -> Iterator[Descriptor]:
    yield message
    for field in message.fields:
        if field.type == _F.TYPE_MESSAGE and not _is_map(field):
            yield from _reached(_message(field))


def _schema(message: Descriptor, comments: Comments) -> dict[str, Any]:
    always = [field.name for field in message.fields if field.is_repeated or not field.has_presence]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field.name: _property(field, comments) for field in message.fields},
    }
    return {**schema, "required": always} if always else schema


def _property(field: FieldDescriptor, comments: Comments) -> dict[str, Any]:
    if _is_map(field):
        schema: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
    elif field.type == _F.TYPE_MESSAGE:
        schema = {"$ref": f"#/components/schemas/{_message(field).name}"}
    else:
        schema = dict(_TYPES[field.type])
    if field.is_repeated and not _is_map(field):
        schema = {"type": "array", "items": schema}
    about = comments.get(field.full_name)
    return {**schema, "description": about} if about else schema


def _message(field: FieldDescriptor) -> Descriptor:
    assert field.message_type is not None  # noqa: S101 - asked of fields of messages only
    return field.message_type


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def read_comments() -> dict[str, str]:
    """What stands beside the fields in the .proto files."""
    from grpc_tools import protoc  # type: ignore[import-untyped] # it has no types

    with tempfile.NamedTemporaryFile() as file:
        arguments = [f"-Illm_platform/proto={PROTOS}", "--include_source_info", f"--descriptor_set_out={file.name}"]
        status: int = protoc.main(["protoc", *arguments, *map(str, sorted(PROTOS.glob("*.proto")))])
        if status != 0:
            raise SystemExit(status)
        described = FileDescriptorSet.FromString(Path(file.name).read_bytes())
    return {name: text for each in described.file for name, text in _said(each)}


def _said(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        match list(location.path):
            # Of FileDescriptorProto.message_type, one, of its DescriptorProto.field, one.
            case [4, message, 2, field]:
                text = " ".join((location.leading_comments + location.trailing_comments).split())
                if text:
                    owner = file.message_type[message]
                    yield f"{file.package}.{owner.name}.{owner.field[field].name}", text


def main() -> None:
    from llm_platform.admin_dashboard.operations import OPERATIONS as ADMIN
    from llm_platform.user_dashboard.operations import OPERATIONS as USER

    comments = read_comments()
    for package, title, operations in (
        ("admin_dashboard", "Admin dashboard", ADMIN),
        ("user_dashboard", "User dashboard", USER),
    ):
        text = json.dumps(document(title, operations, comments), indent=1, ensure_ascii=False)
        (PACKAGES / package / "openapi.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
