"""The committed documents are what the operations say."""

from __future__ import annotations

import json

import pytest

from llm_platform.admin_dashboard.operations import OPERATIONS as ADMIN
from llm_platform.dashboard import openapi
from llm_platform.user_dashboard.operations import OPERATIONS as USER


@pytest.mark.parametrize(
    ("package", "title", "operations"),
    [("admin_dashboard", "Admin dashboard", ADMIN), ("user_dashboard", "User dashboard", USER)],
)
def test_the_committed_document_is_current(package: str, title: str, operations: tuple[openapi.Operation, ...]) -> None:
    committed = json.loads((openapi.PACKAGES / package / "openapi.json").read_text())
    pytest.importorskip("grpc_tools", reason="the image has no compiler of .proto files")
    made = openapi.document(title, operations, openapi.read_comments())
    assert made == committed, "run: make api"


def test_a_document_has_what_the_proto_files_say() -> None:
    document = json.loads((openapi.PACKAGES / "admin_dashboard" / "openapi.json").read_text())
    schemas = document["components"]["schemas"]
    assert schemas["Key"]["properties"]["expires_at"]["description"] == "RFC 3339, empty: never"
    secret = document["paths"]["/api/secrets/{path}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert secret["properties"]["value"]["writeOnly"] is True
    assert "path" not in secret["properties"]
    change = document["paths"]["/api/keys/{key}"]["patch"]["parameters"]
    assert {"name": "If-Match", "in": "header"}.items() <= next(
        each for each in change if each["in"] == "header"
    ).items()
    references = {part for part in json.dumps(document).split('"') if part.startswith("#/components/schemas/")}
    assert {reference.rpartition("/")[2] for reference in references} <= schemas.keys()
