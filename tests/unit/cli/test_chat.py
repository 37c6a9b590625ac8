"""``llm-gateway chat`` against a small HTTP server that speaks as the platform does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.unit.cli.conftest import CommandLine


class Entry(ThreadingHTTPServer):
    """Answers with what ``status`` and ``breaks`` say, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.breaks = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Entry

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append({"path": self.path, **body})
        self.server.keys.append(self.headers.get("authorization"))
        self.send_response(self.server.status)
        self.send_header("x-request-id", "req_1")
        self.end_headers()
        if self.server.status != 200:
            self.wfile.write(json.dumps({"error": {"message": "No such key."}}).encode())
        elif body["stream"]:
            self._stream()
        else:
            self.wfile.write(json.dumps({"choices": [{"message": {"content": "Grüß dich"}}]}).encode())

    def _stream(self) -> None:
        self.wfile.write(b": a comment\n\n")
        for piece in ("Grüß", " dich"):
            event = json.dumps({"choices": [{"delta": {"content": piece}}]}, ensure_ascii=False)
            self.wfile.write(f"event: x\r\ndata: {event}\r\n\r\n".encode())
        if self.server.breaks:
            self.wfile.write(b'data: {"error": {"message": "provider went away"}}\n\n')
        self.wfile.write(b'data: {"choices": [], "usage": {}}\n\ndata: [DONE]\n\n')

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def entry() -> Iterator[Entry]:
    with Entry() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_the_answer_is_streamed(cli: CommandLine, entry: Entry) -> None:
    done = cli("chat", "Hi", "--system", "Be kind.", "--model", "m", "--url", entry.url, LLM_GATEWAY_KEY="k")
    assert (done.returncode, done.stdout) == (0, "Grüß dich\n")
    assert entry.keys == ["Bearer k"]
    assert entry.asked == [
        {
            "path": "/v1/chat/completions",
            "stream": True,
            "model": "m",
            "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
        }
    ]


def test_the_address_comes_from_the_environment_and_the_message_from_a_pipe(cli: CommandLine, entry: Entry) -> None:
    done = cli("chat", "--no-stream", stdin="Hi from a pipe", LLM_GATEWAY_URL=f"{entry.url}/v1/")
    assert done.stdout == "Grüß dich\n"
    assert entry.asked[0]["messages"] == [{"role": "user", "content": "Hi from a pipe"}]
    assert entry.asked[0]["path"] == "/v1/chat/completions"
    assert entry.keys == [None]


def test_json_is_the_answer_itself(cli: CommandLine, entry: Entry) -> None:
    done = cli("chat", "Hi", "--format", "json", "--url", entry.url)
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Grüß dich"


def test_a_refusal_says_why_and_what_to_do(cli: CommandLine, entry: Entry) -> None:
    entry.status = 401
    done = cli("chat", "Hi", "--url", entry.url)
    assert done.returncode == 1
    assert "401: No such key." in done.stderr
    assert "req_1" in done.stderr
    assert "LLM_GATEWAY_KEY" in done.stderr


def test_a_stream_that_breaks_off_is_a_failure(cli: CommandLine, entry: Entry) -> None:
    entry.breaks = True
    done = cli("chat", "Hi", "--url", entry.url)
    assert done.returncode == 1
    assert done.stdout == "Grüß dich"
    assert "provider went away" in done.stderr


def test_nobody_there(cli: CommandLine) -> None:
    done = cli("chat", "Hi", "--url", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "cannot reach" in done.stderr


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "http://", "http://x:99999", "http://x:y", "http://[::1"])
def test_what_is_no_address_is_refused_in_a_line(cli: CommandLine, url: str) -> None:
    done = cli("chat", "Hi", "--url", url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {url!r} is not an")
    assert done.stderr.count("\n") == 1


def test_a_key_may_end_in_a_line_break_and_a_malformed_one_is_not_shown(cli: CommandLine, entry: Entry) -> None:
    assert cli("chat", "Hi", "--url", entry.url, LLM_GATEWAY_KEY="k1\r\n").returncode == 0
    assert entry.keys == ["Bearer k1"]
    for key in ("sk-secret\nX-Evil: 1", "sk-secret€"):
        done = cli("chat", "Hi", "--url", entry.url, LLM_GATEWAY_KEY=key)
        assert done.returncode == 1
        assert "LLM_GATEWAY_KEY" in done.stderr
        assert "sk-secret" not in done.stderr
