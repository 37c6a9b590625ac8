"""A dashboard in a browser, and everything in it that is not as it should be."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Response

from llm_platform.dashboard.pages import CHECKOUT
from tests.browser.stack import PASSWORD, Stack

SETTLED_MS = 20_000
_AXE = CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
_SERIOUS = ("serious", "critical")


class Seen:
    """Somebody's browser at one dashboard."""

    def __init__(self, browser: Browser, stack: Stack, dashboard: str, **options: Any) -> None:
        """``options`` of the browser's context: colour scheme, size."""
        self._stack = stack
        self.url = stack.url(dashboard)
        self._context = browser.new_context(**options)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(SETTLED_MS)
        self.wrong: list[str] = []
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        self.page.on("response", self._on_response)

    def sign_in(self, who: str) -> None:
        page = self.page
        page.goto(f"{self.url}/sign-in")
        page.get_by_label("Name").fill(who)
        page.get_by_label("Password", exact=True).fill(self._stack.admin_password if who == "admin" else PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.wait_for_url(f"{self.url}/")
        self.settle()

    def visit(self, path: str) -> None:
        """Opens the page and waits until it has what it asked for. What went wrong before is forgotten."""
        self.wrong.clear()
        self.page.goto(self.url + path)
        self.settle()

    def settle(self) -> None:
        self.page.get_by_role("heading", level=1).first.wait_for()
        self.page.wait_for_load_state("networkidle")

    def accessibility(self) -> list[str]:
        """Serious findings of axe: rule, and where."""
        self.page.evaluate(_AXE.read_text())
        found = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{violation['id']}: {json.dumps(node['target'])}"
            for violation in found["violations"]
            if violation["impact"] in _SERIOUS
            for node in violation["nodes"]
        ]

    def close(self) -> None:
        self._context.close()

    def _on_console(self, message: ConsoleMessage) -> None:
        # What the browser itself says of a response is judged by the response.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.wrong.append(f"{message.type}: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.status != 401:
            self.wrong.append(f"{response.request.method} {response.url} answered {response.status}")
