"""One platform and one browser for all tests of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import stack as furnished
from tests.browser.seen import SETTLED_MS, Seen
from tests.browser.stack import Stack
from tests.integration.dashboards.visitor import Visitor
from tests.servers import chromium

expect.set_options(timeout=SETTLED_MS)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with furnished.running(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium.running() as running:
        yield running


Open = Callable[[str, str], Seen]


@pytest.fixture(scope="session")
def seen_by(stack: Stack, browser: Browser) -> Iterator[Callable[[str, str], Seen]]:
    """A dashboard as somebody sees it who has signed in at its page; kept, since signing in takes long on purpose."""
    opened: dict[tuple[str, str], Seen] = {}

    def open_(dashboard: str, who: str) -> Seen:
        if (dashboard, who) not in opened:
            opened[dashboard, who] = seen = Seen.in_(browser, stack, dashboard)
            seen.sign_in(who)
        return opened[dashboard, who]

    yield open_
    for seen in opened.values():
        seen.close()


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    """A page of a browser that nobody has signed in with."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def end_session() -> Callable[[Seen], None]:
    """Ends a session as another tab of the same browser would, which the page does not hear of."""

    def end(seen: Seen) -> None:
        visitor = Visitor(seen.url)
        for cookie in seen.context.cookies(seen.url):
            visitor.http.cookies.set(cookie["name"], cookie["value"])
        visitor.csrf = visitor.get("/api/session").json()["csrf_token"]
        assert visitor.call("DELETE", "/api/session").status_code == 204

    return end
