"""Providers and routing as administrators change them: added, tried, put in order, looked up and undone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.seen import Seen
from tests.browser.stack import Stack

ADDED = "echo-two"
WHY = "the second echo first"
OpenFor = Callable[[str, str], Seen]


@pytest.fixture
def first(stack: Stack) -> Iterator[int]:
    """The number of a revision that says what the rules said before; they say it again afterwards."""
    before = stack.admin.get("/api/routing").json()
    yield before["number"] or 1
    now = stack.admin.get("/api/routing").json()
    if now["document"] != before["document"]:
        put(stack, before["document"])


def put(stack: Stack, document: dict[str, Any]) -> None:
    etag = stack.admin.get("/api/routing").json()["etag"]
    body = {"document": document, "note": "by somebody else"}
    sent = stack.admin.call("PUT", "/api/routing", body, if_match=f'"{etag}"')
    assert sent.status_code == 200, sent.text


def test_a_provider_is_added_put_first_and_undone(seen_by: OpenFor, stack: Stack, first: int) -> None:
    seen = seen_by("admin", "admin")
    add_provider(seen)
    put_it_first(seen)
    see_what_changed(seen)
    restore(seen, first)
    seen.visit("/providers")
    expect(seen.page.get_by_role("heading", name="echo", exact=True)).to_be_visible()
    expect(seen.page.get_by_role("heading", name=ADDED)).to_have_count(0)
    assert seen.wrong == []
    assert stack.admin.get("/api/routing").json()["source"] == "restore"


def test_two_who_change_the_rules_lose_nothing(seen_by: OpenFor, stack: Stack, first: int) -> None:
    seen = seen_by("admin", "admin")
    page = seen.page
    seen.visit("/routing")
    page.get_by_label("Weight of echo", exact=True).fill("7")
    document = stack.admin.get("/api/routing").json()["document"]
    put(stack, document | {"failover_enabled": False})
    page.get_by_role("button", name="Save rules").click()
    page.get_by_role("button", name="Keep mine").click()
    expect(page.get_by_label("Weight of echo", exact=True)).to_have_value("7")
    page.get_by_role("button", name="Save rules").click()
    expect(page.get_by_role("button", name="Save rules")).to_have_count(0)
    saved = stack.admin.get("/api/routing").json()["document"]
    assert saved["failover_enabled"] is False
    assert {each["name"]: each["weight"] for each in saved["providers"]}["echo"] == 7
    seen.refused.clear()  # the 412


def test_who_may_not_change_looks(seen_by: OpenFor) -> None:
    seen = seen_by("admin", "platform-reader")
    for path in ("/providers", "/routing"):
        seen.visit(path)
        expect(seen.page.get_by_text("You may look, not change")).to_be_visible()
        expect(seen.page.get_by_label("Priority of echo", exact=True)).to_have_count(0)
        for name in ("Add provider", "Edit", "Test", "Save rules", "Read again"):
            expect(seen.page.get_by_role("button", name=name, exact=True)).to_have_count(0)
        assert seen.wrong == []
        assert seen.accessibility() == []


def add_provider(seen: Seen) -> None:
    seen.visit("/providers")
    page = seen.page
    page.get_by_role("button", name="Add provider").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("echo")
    choose(page, dialog.get_by_role("combobox", name="Type"), "Echo")
    dialog.get_by_role("button", name="Add provider").click()
    expect(dialog.get_by_text("There is a provider of this name.")).to_be_visible()
    dialog.get_by_label("Name", exact=True).fill(ADDED)
    dialog.get_by_role("button", name="Add a model").click()
    dialog.get_by_label("Model 1", exact=True).fill("echo")
    dialog.get_by_role("button", name="Test connection").click()
    expect(dialog.get_by_text("The provider answers")).to_be_visible()
    assert seen.accessibility() == []
    dialog.get_by_role("button", name="Add provider").click()
    expect(dialog).to_have_count(0)
    card = page.locator("section").filter(has=page.get_by_role("heading", name=ADDED))
    expect(card).to_contain_text("Healthy")


def choose(page: Page, field: Locator, option: str) -> None:
    field.click()
    page.get_by_role("option", name=option).click()


def put_it_first(seen: Seen) -> None:
    """Tried before it is saved."""
    seen.visit("/routing")
    page = seen.page
    page.get_by_label("Priority of echo", exact=True).fill("5")
    page.get_by_role("combobox", name="Model").fill("echo")
    page.get_by_role("button", name="Decide").click()
    chosen = page.get_by_role("listitem").filter(has_text="Chosen")
    expect(chosen).to_contain_text(ADDED)
    expect(page.get_by_role("listitem").filter(has_text="Stands by")).to_contain_text("echo")
    page.get_by_label("Why", exact=True).fill(WHY)
    assert seen.accessibility() == []
    page.get_by_role("button", name="Save rules").click()
    expect(page.get_by_role("button", name="Save rules")).to_have_count(0)


def see_what_changed(seen: Seen) -> None:
    seen.visit("/routing")
    page = seen.page
    row = page.get_by_role("table", name="Revisions").get_by_role("row").filter(has_text=WHY).first
    expect(row).to_contain_text("In force")
    row.get_by_role("button").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("deletion")).to_have_text("0")
    expect(drawer.get_by_role("insertion")).to_have_text("5")
    assert seen.accessibility() == []
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def restore(seen: Seen, number: int) -> None:
    page = seen.page
    page.get_by_role("button", name=f"Actions for revision {number}", exact=True).click()
    page.get_by_role("menuitem", name="Restore…").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("table", name="Revisions")).to_contain_text(f"Restored revision {number}")
