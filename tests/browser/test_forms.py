"""What somebody has typed outlives the end of the session, and somebody else who was faster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.seen import Seen
from tests.browser.stack import PASSWORD, Stack

OPENED = {"admin": "Create key", "user": "Make key"}
DASHBOARDS = tuple(OPENED)


@pytest.fixture
def seen(browser: Browser, stack: Stack, request: pytest.FixtureRequest) -> Iterator[Seen]:
    """A browser of the test's own: its session ends."""
    found = Seen.in_(browser, stack, request.param)
    yield found
    found.close()


def open_dialog(seen: Seen) -> Page:
    seen.visit("/keys")
    seen.page.get_by_role("button", name="New key").first.click()
    return seen.page


@pytest.mark.parametrize("seen", DASHBOARDS, indirect=True)
def test_a_form_that_outlives_the_session_is_sent_after_signing_in_again(
    seen: Seen, stack: Stack, end_session: Callable[[Seen], None]
) -> None:
    seen.sign_in("acme-admin")
    page = open_dialog(seen)
    dashboard = "admin" if seen.url == stack.url("admin") else "user"
    name = f"typed at the {dashboard} dashboard"
    page.get_by_label("Name", exact=True).fill(name)
    end_session(seen)
    page.get_by_role("button", name=OPENED[dashboard]).click()
    again = page.get_by_role("dialog", name="Your session has ended")
    again.get_by_role("button", name="Not now").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    page.get_by_role("button", name=OPENED[dashboard]).click()
    again.get_by_label("Password", exact=True).fill(PASSWORD)
    again.get_by_role("button", name="Sign in", exact=True).click()
    secret = page.get_by_test_id("secret").inner_text()
    stack.fleet.canaries.add(name, secret)
    made = [each["name"] for each in stack.admin.get(f"/api/keys?search={name}").json()["items"]]
    assert made == [name]
    assert seen.wrong == []


@pytest.mark.parametrize("seen", ["admin"], indirect=True)
def test_an_address_leads_there_after_signing_in(seen: Seen) -> None:
    deep = "/audit?action=Accounts%2FCreateKey&result=ok"
    seen.page.goto(seen.url + deep)
    seen.page.wait_for_url(f"{seen.url}/sign-in?**")
    seen.give_password("acme-admin")
    seen.page.wait_for_url(seen.url + deep)
    seen.settle()
    expect(seen.page.get_by_role("table", name="Audit log")).to_contain_text("made a key")


@pytest.mark.parametrize("choice", ["Load theirs", "Keep mine"])
@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_whoever_was_slower_chooses_between_both_versions(
    seen_by: Callable[[str, str], Seen], stack: Stack, dashboard: str, choice: str
) -> None:
    seen = seen_by(dashboard, "acme-admin")
    mine, theirs = f"mine, {dashboard}, {choice}", f"theirs, {dashboard}, {choice}"
    made = stack.admin.made("/api/keys", {"name": "contested", "user": "acme-admin"})
    stack.fleet.canaries.add(mine, made["secret"])
    url = f"/api/keys/{made['key']['key_id']}"
    seen.visit("/keys")
    page = seen.page
    page.get_by_role("row").filter(has_text="contested").get_by_role("button").last.click()
    page.get_by_role("menuitem", name="Edit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill(mine)
    etag = stack.admin.get(url).json()["etag"]
    assert stack.admin.call("PATCH", url, {"name": theirs}, if_match=f'"{etag}"').status_code == 200
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_label("Name", exact=True)).to_have_value(mine)
    dialog.get_by_role("button", name=choice).click()
    expect(dialog.get_by_role("button", name=choice)).to_have_count(0)
    kept = mine if choice == "Keep mine" else theirs
    expect(dialog.get_by_label("Name", exact=True)).to_have_value(kept)
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert stack.admin.get(url).json()["name"] == kept
    expect(page.get_by_role("row").filter(has_text=kept)).to_be_visible()
    assert [each.status for each in seen.refused] == [412]
    assert seen.uncaught == []
