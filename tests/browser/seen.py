"""A dashboard in a browser, and everything in it that is not as it should be."""

from __future__ import annotations

import json
import time
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, Response

from llm_platform.dashboard.pages import CHECKOUT
from tests.browser.stack import PASSWORD, Stack

SETTLED_MS = 20_000
LOOK_MS = 50
QUIET_LOOKS = 4
_BUSY = "[aria-busy=true], .mantine-Loader-root:visible, .mantine-Skeleton-root:visible"
_COMPLAINTS = "[role=alert]:visible, [data-kind=warning]:visible, [data-kind=error]:visible, h2:visible"
_TOO_WIDE = """() => {
  if (document.documentElement.scrollWidth <= window.innerWidth) return [];
  const over = [...document.body.querySelectorAll('*')].filter(
    each => each.getBoundingClientRect().right > window.innerWidth + 1);
  return over.map(each => `${each.tagName} ${each.className} ${each.textContent.slice(0, 60)}`).slice(0, 12);
}"""
_AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
_SERIOUS = ("serious", "critical")


class Seen:
    """A tab of somebody's browser at one dashboard."""

    def __init__(self, context: BrowserContext, stack: Stack, dashboard: str) -> None:
        self.context = context
        self.url = stack.url(dashboard)
        self._stack = stack
        self._dashboard = dashboard
        self.page: Page = context.new_page()
        self.page.set_default_timeout(SETTLED_MS)
        self.uncaught: list[str] = []
        """Errors and warnings of the console among them."""
        self.refused: list[Response] = []
        """Answers with a failure; not those that say that nobody is signed in."""
        self._open: set[Request] = set()
        self.page.on("request", self._on_request)
        self.page.on("requestfinished", self._on_request_end)
        self.page.on("requestfailed", self._on_request_end)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.uncaught.append(f"uncaught: {error}"))
        self.page.on("response", self._on_response)
        self.page.on("dialog", self._on_dialog)

    @classmethod
    def in_(cls, browser: Browser, stack: Stack, dashboard: str, **options: Any) -> Seen:
        """In a browser of somebody's own; ``options`` of the browser's context: colour scheme, size."""
        return cls(browser.new_context(**options), stack, dashboard)

    def tab(self) -> Seen:
        """Another one of the same browser: whoever has signed in is signed in there."""
        return Seen(self.context, self._stack, self._dashboard)

    @property
    def wrong(self) -> list[str]:
        """All that should not be."""
        answers = (f"{each.request.method} {each.url} answered {each.status}" for each in self.refused)
        return [*self.uncaught, *answers]

    @property
    def complaints(self) -> str:
        """What the page says is wrong or missing; also its headings."""
        return "\n".join(self.page.locator(_COMPLAINTS).all_inner_texts())

    def sign_in(self, who: str) -> None:
        self.page.goto(f"{self.url}/sign-in")
        self.give_password(who)
        self.page.wait_for_url(f"{self.url}/")
        self.settle()

    def give_password(self, who: str) -> None:
        page = self.page
        page.get_by_label("Name", exact=True).fill(who)
        page.get_by_label("Password", exact=True).fill(self._stack.admin_password if who == "admin" else PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()

    def visit(self, path: str) -> None:
        """Opens the page and waits until it has what it asked for. What went wrong before is forgotten."""
        self.begin_visit(path)
        self.settle()

    def begin_visit(self, path: str) -> None:
        """Does not wait."""
        self.uncaught.clear()
        self.refused.clear()
        self._open.clear()
        self.page.goto(self.url + path, wait_until="commit")

    def settle(self) -> None:
        """Waits until the page has its heading, has asked for all it needs, and has nothing left to wait for."""
        self.page.get_by_role("heading", level=1).first.wait_for()
        deadline = time.monotonic() + SETTLED_MS / 1000
        quiet = 0
        while quiet < QUIET_LOOKS:
            quiet = 0 if self._open or self.page.locator(_BUSY).count() else quiet + 1
            assert time.monotonic() < deadline, f"{self.page.url} does not settle: {self._waiting()}"
            self.page.wait_for_timeout(LOOK_MS)

    def accessibility(self) -> list[str]:
        """Serious findings of axe: rule, and where."""
        return [f"{rule}: {target}" for impact, rule, target in self.findings() if impact in _SERIOUS]

    def findings(self) -> list[tuple[str, str, str]]:
        """All findings of axe: impact, rule, and where."""
        self.page.evaluate(_AXE.read_text())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            (violation["impact"], violation["id"], json.dumps(node["target"]))
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    def too_wide(self) -> list[str]:
        """What is wider than the window, so that the page scrolls sideways."""
        found: list[str] = self.page.evaluate(_TOO_WIDE)
        return found

    def close(self) -> None:
        """All tabs of this browser."""
        self.context.close()

    def _waiting(self) -> str:
        busy = self.page.locator(_BUSY).evaluate_all("found => found.map(each => each.outerHTML.slice(0, 150))")
        return "; ".join([*(request.url for request in self._open), *busy])

    def _on_request(self, request: Request) -> None:
        self._open.add(request)

    def _on_request_end(self, request: Request) -> None:
        self._open.discard(request)

    def _on_console(self, message: ConsoleMessage) -> None:
        # What the browser itself says of a response is judged by the response.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.uncaught.append(f"{message.type}: {message.text}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self.uncaught.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.status != 401:
            self.refused.append(response)
