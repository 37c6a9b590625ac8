"""The checks of a running platform, against servers that behave and servers that do not."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import containers
from ansible.module_utils.containers import Container, statuses
from ansible.module_utils.verification import Dashboard, Entry, refusal_without_certificate

from llm_platform.core import pki

COMPLETION = json.dumps({"choices": [{"message": {"content": "Hello"}}]})
STREAM = 'data: {"choices": []}\n\ndata: [DONE]\n\n'


@contextmanager
def server(answers: dict[str, tuple[int, str, str]]) -> Iterator[int]:
    """Answers ``refused`` without a key, ``streamed`` or ``whole`` with one, ``session``, ``page`` or else ``ready`` to
    GET; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(*answers[{"/": "page", "/api/session": "session"}.get(self.path, "ready")])

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with_key = "streamed" if request.get("stream") else "whole"
            self.answer(*answers[with_key if "authorization" in self.headers else "refused"])

        def answer(self, status: int, content_type: str, body: str) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield running.server_address[1]
    finally:
        running.shutdown()
        running.server_close()


GOOD = {
    "whole": (200, "application/json", COMPLETION),
    "streamed": (200, "text/event-stream", STREAM),
    "refused": (401, "application/json", "{}"),
    "ready": (200, "application/json", "{}"),
}


def problems(answers: dict[str, tuple[int, str, str]]) -> list[str | None]:
    with server(answers) as port:
        return [check.problem for check in Entry("tail", port, "sk-test").checks(patience=0)]


def test_an_entry_that_answers_passes() -> None:
    assert problems(GOOD) == [None, None, None]


@pytest.mark.parametrize(
    ("broken", "answer", "position"),
    [
        ("whole", (503, "application/json", "away"), 0),
        ("whole", (200, "application/json", "{}"), 0),
        ("whole", (200, "application/json", '{"choices": [{"message": {"content": ""}}]}'), 0),
        ("streamed", (200, "text/event-stream", "data: {}\n\ndata: {}\n\n"), 1),
        ("streamed", (200, "application/json", COMPLETION), 1),
        ("refused", (200, "application/json", COMPLETION), 2),
    ],
)
def test_an_entry_that_answers_otherwise_is_told(broken: str, answer: tuple[int, str, str], position: int) -> None:
    found = problems({**GOOD, broken: answer})
    assert [index for index, problem in enumerate(found) if problem] == [position]


PAGES = {
    "page": (200, "text/html; charset=utf-8", "<!doctype html><html></html>"),
    "ready": (200, "application/json", "{}"),
    "session": (401, "application/problem+json", "{}"),
}


def problems_of_pages(answers: dict[str, tuple[int, str, str]]) -> list[str | None]:
    with server(answers) as port:
        return [check.problem for check in Dashboard("admin-dashboard", port).checks(patience=0)]


def test_a_dashboard_that_shows_its_page_and_knows_nobody_passes() -> None:
    assert problems_of_pages(PAGES) == [None, None, None]


@pytest.mark.parametrize(
    ("broken", "answer", "position"),
    [
        ("page", (503, "application/problem+json", "{}"), 0),
        ("page", (200, "application/json", "{}"), 0),
        ("ready", (503, "application/json", "{}"), 1),
        ("session", (200, "application/json", "{}"), 2),
    ],
)
def test_a_dashboard_that_answers_otherwise_is_told(broken: str, answer: tuple[int, str, str], position: int) -> None:
    found = problems_of_pages({**PAGES, broken: answer})
    assert [index for index, problem in enumerate(found) if problem] == [position]


def test_a_dashboard_that_is_away_is_told() -> None:
    with server(PAGES) as port:
        pass
    first, *_ = Dashboard("admin-dashboard", port).checks(patience=0)
    assert first.problem is not None
    assert "nothing" in first.problem


@pytest.mark.parametrize("asks_for_certificate", [True, False])
def test_a_port_must_refuse_a_caller_without_certificate(tmp_path: Path, asks_for_certificate: bool) -> None:
    bundle = pki.issue_certificate(pki.issue_authority("test.internal"), "head")
    tls = pki.write_bundle(tmp_path, bundle)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls.authority))
    context.load_cert_chain(tls.certificate, tls.key)
    context.verify_mode = ssl.CERT_REQUIRED if asks_for_certificate else ssl.CERT_NONE
    running = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    running.socket = context.wrap_socket(running.socket, server_side=True)
    running.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        problem = refusal_without_certificate("127.0.0.1", running.server_address[1])
    finally:
        running.shutdown()
        running.server_close()
    assert (problem is None) is asks_for_certificate


def container(name: str, state: str = "running") -> Container:
    return Container(name, "tail", f"{name[:4]}-1", state, "r1", "2026-11-21T00:00:00Z", "127.0.0.1")


def test_the_status_tells_wanted_missing_and_draining_replicas() -> None:
    present = [container("tail-1"), container("tail-1-draining"), container("tail-9-draining", "exited")]
    with server(GOOD) as port:
        services = {"tail": {"ports": {"http": port}, "replicas": 2, "health": "/health/ready"}}
        found = list(statuses(present, services, {}))
    assert [(one.replica, one.wanted, one.healthy, one.reason) for one in found] == [
        ("tail-1", True, True, ""),
        ("tail-2", True, False, "there is no such container"),
        ("haproxy", True, False, "there is no such container"),
        ("tail-1-draining", False, False, "it finishes its open streams"),
    ]


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (404, False)])
def test_the_status_asks_haproxy_too(monkeypatch: pytest.MonkeyPatch, status: int, healthy: bool) -> None:
    with server(GOOD | {"ready": (status, "text/plain", "ok")}) as port:
        monkeypatch.setitem(containers.PROXY_HEALTH, "ports", {"http": port})
        (found,) = statuses([container("haproxy")], {}, {})
    assert (found.replica, found.wanted, found.healthy) == ("haproxy", True, healthy)


def test_a_stopped_replica_says_where_to_look() -> None:
    services = {"tail": {"ports": {"http": 1}, "replicas": 1}}
    found, _ = statuses([container("tail-1", "exited")], services, {})
    assert found.reason == "it is exited: `docker logs tail-1` says why"
