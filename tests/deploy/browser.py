"""What a browser says to a dashboard: somebody signs in and calls the API with the session's cookie."""

from __future__ import annotations

import json
import time
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener


class Browser:
    """Somebody who signed in at the dashboard at ``url``."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self._url = url
        self._jar = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._jar))
        self._csrf = ""
        self.session = self._signed_in(name, password)
        self._csrf = str(self.session["csrf_token"])

    def _signed_in(self, name: str, password: str) -> dict[str, Any]:
        """A password takes long to check on a busy machine: who is told to try again does, a few times."""
        for _ in range(3):
            try:
                return self.call("POST", "/api/session", {"name": name, "password": password})
            except HTTPError as error:
                if "retry-after" not in error.headers:
                    raise
                time.sleep(int(error.headers["retry-after"]))
        return self.call("POST", "/api/session", {"name": name, "password": password})

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Raises urllib.error.HTTPError."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json", "x-csrf-token": self._csrf}
        with self._opener.open(Request(self._url + path, content, headers, method=method), timeout=30) as answer:
            given: dict[str, Any] = json.load(answer)
        return given

    @property
    def headers(self) -> dict[str, str]:
        """What another client needs to go on in this session. Cookies hold for all ports of a host."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)
        return {"cookie": cookies, "x-csrf-token": self._csrf}
