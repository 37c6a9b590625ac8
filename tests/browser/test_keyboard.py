"""From signing in to signing out with a key made, by the keyboard alone."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.browser.seen import Seen
from tests.browser.stack import PASSWORD, Stack

MOST_STOPS = 60
FOCUSED = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const labels = [at.ariaLabel, at.labels && at.labels[0] && at.labels[0].innerText, at.innerText, at.title];
  return {
    name: (labels.find(each => each && each.trim()) || '').trim(),
    tag: at.tagName,
    inDialog: at.closest('[role=dialog]') !== null,
    visible: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none',
  };
}"""


def test_a_key_is_made_by_the_keyboard_alone(browser: Browser, stack: Stack) -> None:
    seen = Seen.in_(browser, stack, "user")
    page = seen.page
    sign_in(seen)
    go_to(page, "Keys")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Keys", level=1)).to_be_visible()
    go_to(page, "New key")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("typed in vain")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="New key").first).to_be_focused()
    page.keyboard.press("Enter")
    stays_in_the_dialog(page)
    go_to(page, "Name")
    page.keyboard.type("made by keyboard")
    page.keyboard.press("Enter")
    stack.fleet.canaries.add("a key made by keyboard", page.get_by_test_id("secret").inner_text())
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("secret")).to_be_visible()
    go_to(page, "I have kept it in a safe place")
    page.keyboard.press("Space")
    go_to(page, "Done")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").filter(has_text="made by keyboard")).to_be_visible()
    go_to(page, "Account menu")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Sign out")).to_be_visible()
    go_to(page, "Sign out", by="ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{seen.url}/sign-in")
    assert seen.wrong == []
    seen.close()


def sign_in(seen: Seen) -> None:
    page = seen.page
    page.goto(f"{seen.url}/sign-in")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("acme-owner")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{seen.url}/")
    seen.settle()


def go_to(page: Page, name: str, by: str = "Tab") -> None:
    """Goes on to what is called so; each stop on the way can be seen."""
    stops = []
    for _ in range(MOST_STOPS):
        at = page.evaluate(FOCUSED)
        if at["tag"] != "BODY":
            # A field shows its caret.
            assert at["visible"] or at["tag"] in ("INPUT", "TEXTAREA"), f"the focus on {at} cannot be seen"
            stops.append(at["name"])
            if name in at["name"].split("\n"):
                return
        page.keyboard.press(by)
    raise AssertionError(f"{name} is not among {stops}")


def stays_in_the_dialog(page: Page) -> None:
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(MOST_STOPS // 3):
            page.keyboard.press(key)
            assert page.evaluate(FOCUSED)["inDialog"]
