"""The first hour of an administrator, from the empty secret to the call's cost, through the pages alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import requests
from playwright.sync_api import expect

from tests.browser.seen import Seen
from tests.browser.stack import SIMULATED, Stack
from tests.simulator.server import KEY

NAME = "first program"
SECRET = "llm/sim/api_key"
ENTRIES = ("tail-1", "gateway-1")


def test_from_a_providers_key_to_what_a_call_cost(seen_by: Callable[[str, str], Seen], stack: Stack) -> None:
    seen = seen_by("admin", "admin")
    set_secret(seen)
    key = make_key(seen)
    stack.fleet.canaries.add("a key that was shown once", key)
    for entry in ENTRIES:
        find_cost(seen, call(stack, entry, key))
    find_in_audit_log(seen, "made a key", to=NAME)
    find_in_audit_log(seen, "set a secret", to=SECRET)
    assert seen.wrong == []


def set_secret(seen: Seen) -> None:
    seen.visit("/secrets")
    page = seen.page
    page.get_by_role("button", name="New secret").first.click()
    page.get_by_label("Path", exact=True).fill(SECRET)
    page.get_by_label("Value", exact=True).fill(KEY)
    page.get_by_role("button", name="Set secret").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    row = page.get_by_label("Secrets in llm/sim").get_by_role("row").filter(has_text="api_key")
    expect(row).to_contain_text("Set")
    assert KEY not in page.content()


def make_key(seen: Seen) -> str:
    """The key, as it was copied."""
    seen.visit("/keys")
    page = seen.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="New key").first.click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_role("button", name="Create key").click()
    shown = page.get_by_test_id("secret").inner_text()
    # It is not lost by accident.
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Done")).to_be_disabled()
    page.get_by_role("button", name="Copy", exact=True).click()
    assert page.evaluate("() => navigator.clipboard.readText()") == shown
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("row").filter(has_text=NAME)).to_be_visible()
    seen.visit("/keys")
    assert shown not in page.content()
    return shown


def call(stack: Stack, entry: str, key: str) -> str:
    """A completion as a program asks for it; the id of the request."""
    reply = requests.post(
        f"{stack.fleet.url(entry)}/v1/chat/completions",
        json={"model": SIMULATED, "messages": [{"role": "user", "content": "Hello"}]},
        headers={"authorization": f"Bearer {key}"},
        timeout=30,
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["usage"]["completion_tokens"] == 8
    return reply.headers["x-request-id"]


def find_cost(seen: Seen, request_id: str) -> None:
    seen.visit("/requests")
    page = seen.page
    page.get_by_label("Request id").fill(request_id)
    page.get_by_role("button", name="Find").click()
    seen.settle()
    expect(page.get_by_text(f"sim / {SIMULATED} ·").first).to_be_visible()
    expect(page.get_by_role("link", name=NAME)).to_be_visible()
    assert re.search(r"Cost\s*\$0\.0000\d*[1-9]", page.locator("main").inner_text())


def find_in_audit_log(seen: Seen, action: str, *, to: str) -> None:
    seen.visit("/audit")
    row = seen.page.get_by_role("row").filter(has_text=action).filter(has_text=to).first
    expect(row).to_contain_text("admin")
    row.get_by_role("button", name=action).click()
    expect(seen.page.get_by_role("dialog")).to_contain_text(to)
    seen.page.keyboard.press("Escape")
