"""The gate a new generation passes before requests go to it."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any


class Gate:
    """Ready, and for an entry a real completion, for a dashboard its page.

    ``port`` and ``path`` answer readiness; ``completion_key`` is an API key for the built-in model ``echo``.
    """

    def __init__(
        self,
        port: int,
        path: str,
        timeout: float,
        completion_key: str | None = None,
        *,
        page: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.port = port
        self.path = path
        self.timeout = timeout
        self.completion_key = completion_key
        self.page = page
        self.clock = clock
        self.sleep = sleep

    def wait(self, container: Any, addresses: dict[str, str]) -> str | None:
        """None once the gate is passed, else what was wrong when the time was up."""
        address = next(iter(addresses.values()))
        deadline = self.clock() + self.timeout
        problem: str | None = "it was not asked yet"
        while self.clock() < deadline:
            problem = self.not_ready(address) or self.no_completion(address) or self.no_page(address)
            if problem is None:
                return None
            container.reload()
            if container.status in ("exited", "dead", "restarting"):
                code = container.attrs["State"].get("ExitCode")
                return f"it stopped by itself (state {container.status}, exit code {code})"
            self.sleep(0.2)
        return f"{problem} after {self.timeout:.0f} s"

    def not_ready(self, address: str) -> str | None:
        status, body = self._ask(address, "GET", self.path)
        return None if status == 200 else f"{self.path} answered {status or 'nothing'}: {body[:300]}"

    def no_completion(self, address: str) -> str | None:
        if self.completion_key is None:
            return None
        request = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "gate"}]})
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.completion_key}"}
        status, body = self._ask(address, "POST", "/v1/chat/completions", request, headers)
        return None if status == 200 else f"a completion answered {status or 'nothing'}: {body[:300]}"

    def no_page(self, address: str) -> str | None:
        if not self.page:
            return None
        status, body = self._ask(address, "GET", "/")
        if status != 200 or "<html" not in body.lower():
            return f"its page answered {status or 'nothing'}: {body[:300]}"
        return None

    def is_draining(self, container: Any) -> bool:
        """Whether the container was told to stop already: a second signal would hurry it."""
        networks = container.attrs["NetworkSettings"]["Networks"].values()
        address = next((network["IPAddress"] for network in networks if network["IPAddress"]), None)
        if address is None:
            return False
        _, body = self._ask(address, "GET", self.path)
        return '"draining"' in body

    def _ask(
        self, address: str, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and text; 0 when nothing answered."""
        connection = http.client.HTTPConnection(address, self.port, timeout=10)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read(65536).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()
