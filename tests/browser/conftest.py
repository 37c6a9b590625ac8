"""One platform and one browser for all tests of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import stack as furnished
from tests.browser.seen import Seen
from tests.browser.stack import Stack
from tests.servers import chromium


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
