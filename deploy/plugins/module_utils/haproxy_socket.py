"""HAProxy's runtime socket: which slot of a replica takes new requests."""

from __future__ import annotations

import socket
from pathlib import Path


class HaproxyError(Exception):
    """HAProxy did not do what it was told."""


class HaproxySocket:
    """Speaks to the runtime socket. A socket that is not there yet (first deploy) is no error: HAProxy finds
    the ready slots by its own health checks when it starts."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def set_ready(self, backend: str, server: str) -> None:
        self._server(backend, server, "state ready")
        # The gate was passed: do not wait for HAProxy's own check to notice.
        self._server(backend, server, "health up")

    def set_drain(self, backend: str, server: str) -> None:
        self._server(backend, server, "state drain")

    def servers(self) -> list[tuple[str, str]]:
        """Backend and name of every server it knows."""
        rows = [line.split() for line in self.command("show servers state").splitlines()]
        return [(row[1], row[3]) for row in rows if len(row) > 3 and row[0].isdigit()]

    def keep_states(self) -> None:
        """What the next process starts from, also after a crash, so that no request tries a slot known to be empty."""
        states = self.command("show servers state")
        if states:
            self.path.with_name("servers.state").write_text(states + "\n")

    def _server(self, backend: str, server: str, what: str) -> None:
        answer = self.command(f"set server {backend}/{server} {what}")
        # A server that HAProxy does not know is one that its next configuration brings.
        if answer and "No such" not in answer:
            raise HaproxyError(f"HAProxy refused 'set server {backend}/{server} {what}': {answer}")

    def command(self, text: str) -> str:
        """Sends one command; returns the answer, empty when HAProxy does not run."""
        if not self.path.exists():
            return ""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self.path))
            except ConnectionRefusedError:
                return ""
            connection.sendall(text.encode() + b"\n")
            answer = b""
            while received := connection.recv(65536):
                answer += received
        return answer.decode(errors="replace").strip()
