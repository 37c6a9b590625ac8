"""The types that the pages are written with are those of the API's document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from llm_platform.dashboard.openapi import PACKAGES
from llm_platform.dashboard.pages import CHECKOUT

FILES = ("shared/src/api/types.ts", "admin/src/types.ts")
MADE_BY_HAND = {"Session", "Info", "Page", "Overview", "ServiceState", "Traffic", "Percentiles", "TrafficEntry"}
"""What is no message: dashboard/sign_in.py, info.py, overview.py, traffic.py; and every list's frame."""
NAMED_OTHERWISE = {
    "SignedInSession": "Session",
    "Budget": "ScopedBudget",
    "LedgerEntry": "Entry",
    "BudgetNotification": "Notification",
    "ListedModel": "Model",
}
_INTERFACE = re.compile(r"export interface (\w+)(?:<\w+>)? (?:extends \w+ )?\{\n(.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"^  (\w+)(\??): ([^;]+);", re.MULTILINE)
_PLAIN = {"string": {"string"}, "number": {"integer", "number"}, "boolean": {"boolean"}}


def interfaces() -> Iterator[Any]:
    for file in FILES:
        text = (CHECKOUT / file).read_text()
        declared = re.findall(r"export interface (\w+)", text)
        found = _INTERFACE.findall(text)
        assert [name for name, _ in found] == declared, f"{file}: not every interface is read"
        yield from (pytest.param(name, body, id=name) for name, body in found if name not in MADE_BY_HAND)


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    document = json.loads((PACKAGES / "admin_dashboard" / "openapi.json").read_text())
    described: dict[str, Any] = document["components"]["schemas"]
    return described


@pytest.mark.parametrize(("name", "body"), interfaces())
def test_an_interface_of_the_pages_is_a_message_of_the_api(name: str, body: str, schemas: dict[str, Any]) -> None:
    schema = schemas[NAMED_OTHERWISE.get(name, name)]
    fields = _FIELD.findall(body)
    assert fields
    for field, optional, kind in fields:
        described = schema["properties"][field]
        # protobuf leaves a message out that is not set; which always are, only the service says.
        assert optional or "$ref" in described or field in schema["required"], f"{field} need not be there"
        is_list = kind.endswith("[]")
        assert is_list == (described.get("type") == "array"), field
        item, base = described["items"] if is_list else described, kind.removesuffix("[]")
        if base in _PLAIN:
            assert item["type"] in _PLAIN[base], field
        elif "$ref" in item:
            assert item["$ref"].rpartition("/")[2] == NAMED_OTHERWISE.get(base, base), field
