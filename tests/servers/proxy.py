"""A TCP proxy between a service and its server, which makes the server slow or crowded."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

_CHUNK = 65_536


class Proxy:
    """Listens on a free port of the loopback, for ``port`` of it. Use it as a context manager.

    ``delay``: every answer comes so many seconds later than the server gave it. ``places``: the most connections at a
    time; more are closed at once, as by a server that has no more. Both may be changed while it runs.
    """

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.places: int | None = None
        self.most = 0
        """The most connections there were at once."""
        self._server = port
        self._lock = threading.Lock()
        self._open: set[_Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Breaks every connection."""
        with self._lock:
            broken = list(self._open)
        for connection in broken:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.places is not None and len(self._open) >= self.places:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._server))
            except OSError:
                client.close()
                continue
            connection = _Connection(self, client, server)
            with self._lock:
                self._open.add(connection)
                self.most = max(self.most, len(self._open))
            connection.start()

    def closed(self, connection: _Connection) -> None:
        with self._lock:
            self._open.discard(connection)


class _Connection:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._answers: deque[tuple[float, bytes]] = deque()
        self._arrived = threading.Condition()

    def start(self) -> None:
        for work in (self._carry_requests, self._take_answers, self._carry_answers):
            threading.Thread(target=self._until_closed, args=(work,), daemon=True).start()

    def close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        with self._arrived:
            self._arrived.notify_all()
        self._proxy.closed(self)

    def _until_closed(self, work: Callable[[], None]) -> None:
        with suppress(OSError):
            work()
        self.close()

    def _carry_requests(self) -> None:
        while data := self._client.recv(_CHUNK):
            self._server.sendall(data)

    def _take_answers(self) -> None:
        """Its end is carried as an answer of no bytes, so that it does not overtake the others."""
        data = b"-"
        while data:
            data = self._server.recv(_CHUNK)
            with self._arrived:
                self._answers.append((time.monotonic() + self._proxy.delay, data))
                self._arrived.notify_all()
        with self._arrived:
            self._arrived.wait_for(lambda: not self._answers or self._client.fileno() < 0)

    def _carry_answers(self) -> None:
        while True:
            with self._arrived:
                self._arrived.wait_for(lambda: bool(self._answers) or self._client.fileno() < 0)
                if self._client.fileno() < 0:
                    return
                due, data = self._answers[0]
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                return
            self._client.sendall(data)
            with self._arrived:
                self._answers.popleft()
                self._arrived.notify_all()
