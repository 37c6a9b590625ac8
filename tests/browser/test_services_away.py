"""Each service away in turn: pages that need it say so and get well by themselves, the others do not notice."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pytest

from tests.browser.seen import LOOK_MS, Seen
from tests.browser.stack import Stack
from tests.browser.visits import ADMIN_PATHS, USER_PATHS

PEOPLE = {"admin": ("admin", ADMIN_PATHS), "user": ("acme-developer", USER_PATHS)}
NOTICED_SECONDS = 15
BACK_SECONDS = 45
NEEDED = {
    "auth-service": {"admin /keys", "admin /users", "admin /audit", "user /keys", "user /budgets"},
    "billing": {"admin /", "admin /usage", "admin /budgets", "user /", "user /usage", "user /models"},
    "secrets-service": {"admin /", "admin /secrets", "admin /providers"},
    "model-proxy": {"admin /", "admin /providers"},
    "head": {"admin /", "admin /routing", "user /models", "user /playground"},
}
"""Pages that must name it, besides all those with an answer that failed."""

Pages = dict[tuple[str, str], Seen]


@pytest.fixture
def pages(seen_by: Callable[[str, str], Seen], service: str) -> Iterator[Pages]:
    """Pages of both dashboards in a tab each: those that need the service, and some of the others, which are all
    looked at with one service or another away."""
    every = [(dashboard, path) for dashboard, (_, paths) in PEOPLE.items() for path in paths]
    turn = list(NEEDED).index(service)
    chosen = [
        (dashboard, path)
        for number, (dashboard, path) in enumerate(every)
        if f"{dashboard} {path}" in NEEDED[service] or number % len(NEEDED) == turn
    ]
    tabs = {(dashboard, path): seen_by(dashboard, PEOPLE[dashboard][0]).tab() for dashboard, path in chosen}
    yield tabs
    for seen in tabs.values():
        seen.page.close()


@pytest.mark.parametrize("service", NEEDED)
def test_a_page_names_what_is_away_and_gets_well_by_itself(pages: Pages, stack: Stack, service: str) -> None:
    process = stack.fleet[f"{service}-1"]
    process.kill()
    try:
        for (_, path), seen in pages.items():
            seen.begin_visit(path)
        for (dashboard, path), seen in pages.items():
            seen.settle()
            needed = f"{dashboard} {path}" in NEEDED[service]
            until(seen, lambda: names(seen, service) == (needed or missed(seen, service)), NOTICED_SECONDS)  # noqa: B023
            assert seen.uncaught == []
    finally:
        process.start()
        process.wait_ready()
    for seen in pages.values():
        until(seen, lambda: not names(seen, service), BACK_SECONDS)  # noqa: B023
        seen.settle()
        assert seen.uncaught == []


def names(seen: Seen, service: str) -> bool:
    return re.search(rf"\b{service}\b", seen.complaints) is not None


def missed(seen: Seen, service: str) -> bool:
    return any(service in answer.text() for answer in seen.refused)


def until(seen: Seen, condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        said = f"{seen.page.url}: {seen.wrong}\n{seen.page.locator('body').inner_text()}"
        assert time.monotonic() < deadline, said
        seen.page.wait_for_timeout(LOOK_MS)
