"""Signing in at a real identity provider, clicked through."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.seen import LOOK_MS, Seen
from tests.browser.stack import SOMEBODY, Stack
from tests.servers.identity_provider import PASSWORD

DEEP = "/keys?search=of%20nobody"
PROVIDER_SECONDS = 20


@pytest.fixture
def seen(browser: Browser, stack: Stack) -> Iterator[Seen]:
    found = Seen.in_(browser, stack, "user", ignore_https_errors=True)
    yield found
    found.close()


def at_the_provider(page: Page, password: str = PASSWORD) -> None:
    page.locator("[data-test-select=auth-method]").select_option("userpass")
    page.locator("input[name=username]").fill(SOMEBODY)
    page.locator("input[name=password]").fill(password)
    page.locator("#auth-submit").click()


def test_the_way_over_the_provider_leads_to_the_page_that_was_asked_for(seen: Seen) -> None:
    page = seen.page
    page.goto(seen.url + DEEP)
    page.get_by_role("button", name="Continue with single sign-on").click()
    at_the_provider(page)
    page.wait_for_url(seen.url + DEEP)
    seen.settle()
    expect(page.get_by_role("button", name="Account menu")).to_contain_text(SOMEBODY)
    expect(page.get_by_role("button", name="Account menu")).to_contain_text("Developer")
    (session,) = (each for each in seen.context.cookies(seen.url) if each["name"] == "llm_session")
    assert (session["httpOnly"], session["sameSite"]) == (True, "Strict")


def test_a_session_that_ended_amid_a_form_is_begun_again_beside_it(
    seen: Seen, end_session: Callable[[Seen], None]
) -> None:
    page = seen.page
    page.goto(f"{seen.url}/keys")
    page.get_by_role("button", name="Continue with single sign-on").click()
    at_the_provider(page)
    page.wait_for_url(f"{seen.url}/keys")
    page.get_by_role("button", name="New key").first.click()
    page.get_by_label("Name", exact=True).fill("typed before")
    end_session(seen)
    page.get_by_role("button", name="Make key").click()
    again = page.get_by_role("dialog", name="Your session has ended")
    with seen.context.expect_page() as opened:
        again.get_by_role("button", name="Continue with single sign-on").click()
    # The provider may know the browser still, and let it pass at once.
    beside = opened.value
    asked = beside.locator("#auth-submit")
    deadline = time.monotonic() + PROVIDER_SECONDS
    while not (beside.is_closed() or beside.url.endswith("/signed-in") or asked.is_visible()):
        assert time.monotonic() < deadline, beside.url
        page.wait_for_timeout(LOOK_MS)
    if not beside.is_closed() and asked.is_visible():
        at_the_provider(beside)
    expect(page.get_by_test_id("secret")).to_be_visible()


def test_what_the_provider_refuses_is_said_at_the_sign_in_page(seen: Seen) -> None:
    page = seen.page
    page.goto(f"{seen.url}/sign-in/callback?error=access_denied&state=made-up")
    expect(page.get_by_role("alert")).to_contain_text("did not let you in")
    seen.settle()
    assert seen.wrong == []
