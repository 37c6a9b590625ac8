"""Somebody in front of a dashboard: a browser without pages."""

from __future__ import annotations

from typing import Any

import requests

TIMEOUT = 30


class Visitor:
    """Keeps cookies, and sends the CSRF token of the session as a page does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.csrf = ""

    def sign_in(self, name: str, password: str) -> dict[str, Any]:
        reply = self.post("/api/session", {"name": name, "password": password})
        assert reply.status_code == 200, reply.text
        session: dict[str, Any] = reply.json()
        self.csrf = session["csrf_token"]
        return session

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """``headers`` are named with underscores."""
        sent = {"x-csrf-token": self.csrf, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.http.request(
            method,
            self.url + path,
            json=body,
            headers={name: value for name, value in sent.items() if value},
            timeout=TIMEOUT,
            allow_redirects=False,
        )

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        return self.call("POST", path, {} if body is None else body, **headers)

    def made(self, path: str, body: Any) -> dict[str, Any]:
        """What a POST that must succeed answers."""
        reply = self.post(path, body)
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.json()
        return answer
