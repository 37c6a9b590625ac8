"""``make page-report``: what each page weighs, when it stands, what axe finds, into ``build/pages.md`` and ``.json``.

Every page is opened with an empty cache, on a desk and on a phone whose processor is four times slower.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.browser import stack as furnished
from tests.browser.screenshots import PAGES, SIZES
from tests.browser.seen import Seen
from tests.browser.stack import Stack
from tests.servers import chromium

TARGET = Path("build")
SLOWER = {"desk": 1, "phone": 4}
IMPACTS = ("critical", "serious", "moderate", "minor")
_WATCH = """
window.__timing = {lcp: 0, cls: 0, tasks: []};
const watch = (type, note) =>
  new PerformanceObserver(list => list.getEntries().forEach(note)).observe({type, buffered: true});
watch('largest-contentful-paint', entry => { window.__timing.lcp = entry.startTime; });
watch('layout-shift', entry => { if (!entry.hadRecentInput) window.__timing.cls += entry.value; });
watch('longtask', entry => { window.__timing.tasks.push([entry.startTime, entry.duration]); });
"""
_READ = """() => ({
  ...window.__timing,
  dcl: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
  fcp: (performance.getEntriesByName('first-contentful-paint')[0] || {startTime: 0}).startTime,
})"""
_BLOCKING_MS = 50
"""What of a task is longer blocks the page (https://web.dev/articles/tbt)."""


@dataclass(frozen=True)
class Measured:
    """One page on one device. Times are milliseconds since the navigation began, sizes bytes as transferred."""

    application: str
    device: str
    path: str
    requests: int
    script_bytes: int
    total_bytes: int
    dom_content_loaded: float
    first_contentful_paint: float
    largest_contentful_paint: float
    cumulative_layout_shift: float
    long_tasks: int
    total_blocking_time: float
    axe: dict[str, int]
    """Impact -> findings."""


class Traffic:
    """What a tab loads, by the browser's own count."""

    def __init__(self, seen: Seen, slower: int) -> None:
        session = seen.context.new_cdp_session(seen.page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        session.on("Network.responseReceived", self._on_response)
        session.on("Network.loadingFinished", self._on_end)
        self.types: dict[str, str] = {}
        self.sizes: dict[str, int] = {}

    def clear(self) -> None:
        self.types.clear()
        self.sizes.clear()

    def bytes_of(self, kind: str) -> int:
        return sum(size for request, size in self.sizes.items() if self.types.get(request) == kind)

    def _on_response(self, event: dict[str, Any]) -> None:
        self.types[event["requestId"]] = event["type"]

    def _on_end(self, event: dict[str, Any]) -> None:
        self.sizes[event["requestId"]] = int(event["encodedDataLength"])


def measure(browser: Browser, stack: Stack, application: str, device: str) -> Iterator[Measured]:
    paths, who = PAGES[application]
    seen = Seen.in_(browser, stack, application, viewport=SIZES[device])
    seen.page.add_init_script(_WATCH)
    traffic = Traffic(seen, SLOWER[device])
    yield _visited(seen, traffic, application, device, "/sign-in")
    seen.sign_in(who)
    for path in paths:
        yield _visited(seen, traffic, application, device, path)
    seen.close()


def _visited(seen: Seen, traffic: Traffic, application: str, device: str, path: str) -> Measured:
    traffic.clear()
    seen.visit(path)
    read = seen.page.evaluate(_READ)
    blocking = [duration - _BLOCKING_MS for start, duration in read["tasks"] if start + duration > read["fcp"]]
    return Measured(
        application,
        device,
        path,
        requests=len(traffic.sizes),
        script_bytes=traffic.bytes_of("Script"),
        total_bytes=sum(traffic.sizes.values()),
        dom_content_loaded=read["dcl"],
        first_contentful_paint=read["fcp"],
        largest_contentful_paint=read["lcp"],
        cumulative_layout_shift=read["cls"],
        long_tasks=len(read["tasks"]),
        total_blocking_time=sum(blocking),
        axe=dict(Counter(impact for impact, _, _ in seen.findings())),
    )


def table(rows: list[Measured]) -> str:
    """Markdown for people."""
    lines = [
        "| page | requests | script kB | all kB | DOM ready | first paint | largest paint | layout shift "
        f"| blocked | long tasks | axe: {', '.join(IMPACTS)} |",
        "|---|" + "---:|" * 10,
    ]
    lines += [
        f"| {row.path} | {row.requests} | {row.script_bytes / 1000:.0f} | {row.total_bytes / 1000:.0f} "
        f"| {row.dom_content_loaded:.0f} | {row.first_contentful_paint:.0f} | {row.largest_contentful_paint:.0f} "
        f"| {row.cumulative_layout_shift:.3f} | {row.total_blocking_time:.0f} | {row.long_tasks} "
        f"| {', '.join(str(row.axe.get(impact, 0)) for impact in IMPACTS)} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    parts = ["# Pages", "", "Times in milliseconds, cache empty, no network between; sizes as transferred."]
    found: list[Measured] = []
    with (
        tempfile.TemporaryDirectory() as directory,
        furnished.running(Path(directory)) as stack,
        chromium.running() as browser,
    ):
        for application, device in product(PAGES, SIZES):
            rows = list(measure(browser, stack, application, device))
            slower = f", processor {SLOWER[device]} times slower" if SLOWER[device] > 1 else ""
            parts += ["", f"## {application}, {device}{slower}", "", table(rows)]
            found += rows
            print(f"{application}, {device}: {len(rows)} pages", flush=True)
    load = os.getloadavg()[0]
    parts += ["", f"Measured on {os.cpu_count()} processors, load {load:.1f}, beside all services of the platform.", ""]
    (TARGET / "pages.md").write_text("\n".join(parts))
    (TARGET / "pages.json").write_text(json.dumps([asdict(row) for row in found], indent=1))


if __name__ == "__main__":
    main()
