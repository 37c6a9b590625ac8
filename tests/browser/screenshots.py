"""``make screenshots``: every page, light and dark, on a desk and on a phone, into ``build/screenshots``."""

from __future__ import annotations

import tempfile
from itertools import product
from pathlib import Path

from tests.browser import stack as furnished
from tests.browser.seen import Seen
from tests.browser.visits import ADMIN_PATHS, USER_PATHS
from tests.servers import chromium

TARGET = Path("build") / "screenshots"
SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
SCHEMES = ("light", "dark")
PAGES = {"admin": (ADMIN_PATHS, "admin"), "user": (USER_PATHS, "acme-developer")}


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        furnished.running(Path(directory)) as stack,
        chromium.running() as browser,
    ):
        for (dashboard, (paths, who)), scheme, (size, viewport) in product(PAGES.items(), SCHEMES, SIZES.items()):
            seen = Seen.in_(browser, stack, dashboard, color_scheme=scheme, viewport=viewport)
            seen.page.goto(f"{seen.url}/sign-in")
            seen.settle()
            seen.page.screenshot(path=TARGET / f"{dashboard}-sign-in-{scheme}-{size}.png")
            seen.sign_in(who)
            for path in paths:
                seen.visit(path)
                name = path.strip("/").replace("/", "-") or "overview"
                seen.page.screenshot(path=TARGET / f"{dashboard}-{name}-{scheme}-{size}.png", full_page=True)
            seen.close()
            print(f"{dashboard}, {scheme}, {size}: {len(paths) + 1} pages", flush=True)


if __name__ == "__main__":
    main()
