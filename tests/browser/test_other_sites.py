"""What another site gets of a dashboard that somebody is signed in at: nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser.seen import Seen


class OtherSite(ThreadingHTTPServer):
    """Answers every request with a page that has a frame."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.framed = ""
        self.came_from: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: OtherSite

    def do_GET(self) -> None:
        self.server.came_from.append(self.headers.get("referer", ""))
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(f'<link rel="icon" href="data:,"><iframe src="{self.server.framed}"></iframe>'.encode())

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


@pytest.fixture
def other_site() -> Iterator[OtherSite]:
    with OtherSite() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_another_site_cannot_frame_it_read_its_cookie_or_learn_its_address(
    seen_by: Callable[[str, str], Seen], other_site: OtherSite
) -> None:
    seen = seen_by("user", "acme-developer").tab()
    page = seen.page
    other_site.framed = f"{seen.url}/keys"
    seen.visit("/keys")
    assert page.evaluate("() => document.cookie") == ""
    page.evaluate(f"() => {{ location.href = '{other_site.url}'; }}")
    page.wait_for_url(other_site.url)
    page.wait_for_timeout(200)
    assert other_site.came_from == [""]
    assert any("frame-ancestors" in said for said in seen.uncaught), seen.uncaught
    assert [frame.url for frame in page.frames if frame.url.startswith(seen.url)] == []
    page.close()
