from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from llm_platform.admin_dashboard.operations import OPERATIONS
from llm_platform.core.errors import PlatformError
from llm_platform.dashboard import transcoding
from llm_platform.dashboard.operations import Operation
from llm_platform.dashboard.problems import MissingEtagError
from llm_platform.proto import accounts_pb2, ledger_pb2

BY_NAME = {operation.name: operation for operation in OPERATIONS}
PATCH_KEY = BY_NAME["PATCH /api/keys/{key}"]


def read(
    name: str, body: bytes = b"", query: Sequence[tuple[str, str]] = (), etag: str | None = None, **path: str
) -> Any:
    return transcoding.read(BY_NAME[name], path, query, body, etag)


def test_a_body_and_the_path_make_one_message() -> None:
    message = read("PATCH /api/keys/{key}", b'{"name": "n", "limits": {"concurrency": 2}}', etag='"7"', key="k1")
    assert message == accounts_pb2.UpdateKeyRequest(
        key="k1", etag="7", name="n", limits=accounts_pb2.UpdateKeyRequest().limits.__class__(concurrency=2)
    )
    assert not message.HasField("expires_at")


def test_a_query_makes_a_message_and_names_may_repeat() -> None:
    message = read("GET /api/usage", query=[("by", "day"), ("by", "model"), ("limit", "5")])
    assert message == ledger_pb2.UsageQuery(by=["day", "model"], limit=5)


def test_a_secrets_value_travels_as_text() -> None:
    message = read("PUT /api/secrets/{path...}", '{"value": "geheim ß"}'.encode(), path="llm/x")
    assert (message.path, message.value) == ("llm/x", "geheim ß".encode())
    with pytest.raises(PlatformError, match="value is text"):
        read("PUT /api/secrets/{path...}", b'{"value": 5}', path="llm/x")


def test_what_is_in_the_path_is_not_said_again() -> None:
    with pytest.raises(PlatformError, match="key stands in the path"):
        read("PATCH /api/keys/{key}", b'{"key": "other"}', etag='"1"', key="k1")


def test_only_a_change_of_a_part_must_say_what_it_is_based_on() -> None:
    with pytest.raises(MissingEtagError):
        read("PATCH /api/keys/{key}", b"{}", key="k1")
    assert read("PUT /api/budgets", b'{"budget": {"scope": "key"}}').etag == ""
    assert read("PUT /api/budgets", b"{}", etag='W/"abc"').etag == "abc"


@pytest.mark.parametrize("depth", [30, 100_000])
def test_nesting_has_an_end(depth: int) -> None:
    with pytest.raises(PlatformError):
        read("POST /api/keys", b'{"limits": ' * depth + b"1" + b"}" * depth)


def test_fields_without_a_value_are_answered_too() -> None:
    shown = transcoding.written(accounts_pb2.Keys(items=[accounts_pb2.Key(key_id="k")]))
    assert shown["next_page_token"] == ""
    assert shown["items"][0]["revoked_at"] == ""
    assert transcoding.written(ledger_pb2.UsageRow(cost=2**62))["cost"] == str(2**62)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_an_rpc_whose_request_has_the_paths_fields(operation: Operation) -> None:
    for name in operation.path_fields:
        field = operation.request.fields_by_name[name]
        assert field.type != field.TYPE_MESSAGE
    for name in operation.text:
        assert operation.request.fields_by_name[name].type == operation.request.fields_by_name[name].TYPE_BYTES
    assert operation.summary.endswith(".")
