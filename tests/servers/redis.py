"""A Redis of the distribution's package on a free port of the loopback, and what can happen to it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from redis import Redis

from tests.servers.ports import free_port


def redis_server() -> str:
    """The program; installed when it is missing (as root)."""
    if (found := shutil.which("redis-server")) is None:
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "redis-server"],
            check=True,
            capture_output=True,
            timeout=300,
            env={"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        found = shutil.which("redis-server")
    assert found is not None
    return found


class RedisServer:
    """Use it as a context manager. Each start is an empty one, unless its ``options`` have it write to a disk.

    ``options`` are further lines of its configuration. ``tls`` is a folder with ``certificate.pem``, ``key.pem`` and
    ``authority.pem``; then it speaks TLS only.
    """

    def __init__(self, *options: str, tls: Path | None = None) -> None:
        self.port = free_port()
        self._tls = tls
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        return f"{'rediss' if self._tls else 'redis'}://127.0.0.1:{self.port}/0"

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once it takes connections."""
        lines = ["bind 127.0.0.1", "save ''", "appendonly no", "logfile ''", *self._options]
        if self._tls:
            lines += [f"tls-port {self.port}", "port 0", "tls-auth-clients no"]
            lines += [f"tls-cert-file {self._tls}/certificate.pem", f"tls-key-file {self._tls}/key.pem"]
            lines += [f"tls-ca-cert-file {self._tls}/authority.pem"]
        else:
            lines += [f"port {self.port}"]
        process = subprocess.Popen([redis_server(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self._process = process
        assert process.stdin is not None
        process.stdin.write("\n".join(lines).encode())
        process.stdin.close()
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, f"redis-server ended with {process.returncode}"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "redis-server does not listen"
                time.sleep(0.02)

    def stop(self) -> None:
        """Ends it, frozen or not: as ``kill``, no test wants it gentler."""
        self.kill()

    def kill(self) -> None:
        """``kill -9``."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """It has no place left for another client."""
        with self.operator() as operator:
            before = operator.config_get("maxclients")["maxclients"]
            operator.config_set("maxclients", 1)
            operator.client_kill_filter(_type="normal", skipme=True)
            try:
                yield
            finally:
                operator.config_set("maxclients", before)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """It became a replica, of a server that is away."""
        with self.operator() as operator:
            operator.replicaof("127.0.0.1", 1)
            try:
                yield
            finally:
                operator.replicaof("NO", "ONE")

    @contextmanager
    def operator(self) -> Iterator[Any]:
        """A client of its own."""
        with closing(Redis(port=self.port, decode_responses=True)) as client:
            client.ping()
            yield client

    def freeze(self) -> None:
        """It keeps its connections, takes new ones, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
