"""The gate of a new generation, against a server that behaves and servers that do not."""

from __future__ import annotations

import pytest
from ansible.module_utils.gate import Gate

from tests.deploy.test_verification import GOOD, PAGES, server


class Running:
    """A container that goes on running."""

    status = "running"

    def reload(self) -> None:
        """Nothing changes."""


def waited(answers: dict[str, tuple[int, str, str]], key: str | None = None, *, page: bool = False) -> str | None:
    with server(answers) as port:
        gate = Gate(port, "/health/ready", 0.1, key, page=page, sleep=lambda _: None)
        return gate.wait(Running(), {"client-network": "127.0.0.1"})


def test_what_is_ready_and_answers_passes() -> None:
    assert waited(GOOD, "sk-test") is None
    assert waited(PAGES, page=True) is None
    assert waited({"ready": GOOD["ready"]}) is None


@pytest.mark.parametrize(
    "page", [(404, "application/problem+json", "{}"), (200, "application/json", "{}")], ids=["missing", "no page"]
)
def test_a_dashboard_without_its_page_does_not_pass(page: tuple[int, str, str]) -> None:
    problem = waited({**PAGES, "page": page}, page=True)
    assert problem is not None
    assert "its page answered" in problem


def test_an_entry_without_a_completion_does_not_pass() -> None:
    problem = waited({**GOOD, "whole": (503, "application/json", "{}")}, "sk-test")
    assert problem is not None
    assert "a completion answered 503" in problem
