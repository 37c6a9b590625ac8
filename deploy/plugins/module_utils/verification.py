"""Does the platform answer? What a client and an intruder would try, at the host's own ports."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible.module_utils.certificates import days_left  # pyright: ignore[reportMissingImports]

REQUEST_SECONDS = 30
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
MODEL = "echo"
QUESTION = "Does the platform answer?"


@dataclass(frozen=True)
class Check:
    """One thing that was tried; ``problem`` says what went wrong, None when nothing did."""

    name: str
    problem: str | None
    seconds: float

    def line(self) -> str:
        return f"{self.name}{f': {self.problem}' if self.problem else ''}"


def timed(name: str, attempt: Callable[[], str | None], patience: float = 0) -> Check:
    """Tries until it works or ``patience`` seconds are over: a proxy needs a moment to see a replica."""
    started = time.monotonic()
    while True:
        problem = attempt()
        spent = time.monotonic() - started
        if problem is None or spent > patience:
            return Check(name, problem, round(spent, 3))
        time.sleep(0.5)


class Entry:
    """A public entry on this host."""

    def __init__(self, name: str, port: int, key: str) -> None:
        self.name = name
        self.port = port
        self.key = key

    def checks(self, patience: float) -> Iterator[Check]:
        yield timed(f"a completion through {self.name} (port {self.port})", self.completion, patience)
        yield timed(f"a streamed completion through {self.name}", self.streamed_completion)
        yield timed(f"no completion through {self.name} without a key", self.refusal_without_key)

    def completion(self) -> str | None:
        status, _, body = self._ask({}, self.key)
        if status != 200:
            return f"it answered {status or 'nothing'}: {body[:400]}"
        try:
            choice = json.loads(body)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            return f"the answer is no completion: {body[:400]}"
        return None if choice else "the completion is empty"

    def streamed_completion(self) -> str | None:
        status, content_type, body = self._ask({"stream": True}, self.key)
        if status != 200:
            return f"it answered {status or 'nothing'}: {body[:400]}"
        events = [line[5:].strip() for line in body.splitlines() if line.startswith("data:")]
        if not content_type.startswith("text/event-stream") or len(events) < 2 or events[-1] != "[DONE]":
            return f"the answer is no complete stream ({content_type}): {body[-400:]}"
        return None

    def refusal_without_key(self) -> str | None:
        status, _, body = self._ask({}, None)
        return None if status == 401 else f"it answered {status or 'nothing'} instead of 401: {body[:400]}"

    def _ask(self, options: dict[str, object], key: str | None) -> tuple[int, str, str]:
        request = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], **options}
        headers = {"authorization": f"Bearer {key}"} if key else {}
        headers["content-type"] = "application/json"
        return ask(self.port, "POST", "/v1/chat/completions", json.dumps(request), headers)


class Dashboard:
    """A dashboard on this host."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port

    def checks(self, patience: float) -> Iterator[Check]:
        yield timed(f"a page of {self.name} (port {self.port})", self.page, patience)
        yield timed(f"{self.name} is ready", self.readiness)
        yield timed(f"nobody is signed in at {self.name} without a session", self.refusal_without_session)

    def page(self) -> str | None:
        status, content_type, body = ask(self.port, "GET", "/")
        if status != 200:
            return f"it answered {status or 'nothing'}: {body[:400]}"
        return None if content_type.startswith("text/html") else f"the answer is no page ({content_type}): {body[:400]}"

    def readiness(self) -> str | None:
        status, _, body = ask(self.port, "GET", "/health/ready")
        return None if status == 200 else f"it answered {status or 'nothing'}: {body[:400]}"

    def refusal_without_session(self) -> str | None:
        status, _, body = ask(self.port, "GET", "/api/session")
        return None if status == 401 else f"it answered {status or 'nothing'} instead of 401: {body[:400]}"


def ask(
    port: int, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, str, str]:
    """Status, content type and body; status 0 when nothing answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
        return response.status, response.headers.get("content-type", ""), text
    except (OSError, http.client.HTTPException) as error:
        return 0, "", str(error)
    finally:
        connection.close()


def refusal_without_certificate(address: str, port: int) -> str | None:
    """A gRPC port must end a connection that shows no client certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection((address, port), timeout=10) as plain, context.wrap_socket(plain) as link:
            link.sendall(HTTP2_PREFACE)
            answer = link.recv(1)
    except TimeoutError:
        return "the port neither answers nor refuses"
    except ConnectionRefusedError:
        return "nothing listens there"
    except OSError:
        return None
    return "the port talks to a caller without a certificate" if answer else None


def certificate_lifetime(certificate: str, least_days: int) -> Callable[[], str | None]:
    from pathlib import Path

    def check() -> str | None:
        left = days_left(Path(certificate))
        return f"{left} days are left; deploy to renew it" if left < least_days else None

    return check
