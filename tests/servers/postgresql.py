"""A PostgreSQL server of its own on a free port of the loopback, and its faults."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psutil

from tests.servers.ports import free_port

PASSWORD = "hunter2-of-the-tests"


def _programs() -> Path:
    """The folder of ``initdb`` and ``postgres``; installs the distribution's package when it is missing."""

    def newest() -> Path | None:
        return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None, key=lambda path: int(path.parent.name))

    if newest() is None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        # The distribution's own cluster stays out.
        settings = Path("/etc/postgresql-common")
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "createcluster.conf").write_text("create_main_cluster = false\n")
        subprocess.run(["apt-get", "install", "-y", "-qq", "postgresql"], check=True, env=environment)
    found = newest()
    assert found is not None, "apt-get install postgresql left no programs"
    return found


def _name(url: str) -> str:
    return url.rpartition("/")[2]


class PostgresqlServer:
    """Use it as a context manager; ``stop``, ``crash``, ``kill``, ``freeze`` and what undoes them are the faults.

    ``options`` are further settings of the server, as ``NAME=VALUE``.
    """

    def __init__(self, *options: str, max_connections: int = 60) -> None:
        self._programs = _programs()
        # The tests end processes, not machines: nothing needs to reach the disk.
        self._options = (f"max_connections={max_connections}", "fsync=off", *options)
        self._directory = Path(tempfile.mkdtemp(prefix="llm-postgresql-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[psutil.Process] = []
        self._names = count(1)
        self.port = free_port()
        if self._user:
            shutil.chown(self._directory, self._user, self._user)
        password = self._directory / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            *("initdb", "--pgdata", str(self._data), "--username", "platform", "--auth", "scram-sha-256"),
            *("--pwfile", str(password), "--no-sync", "--encoding", "UTF8", "--locale", "C"),
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def __enter__(self) -> PostgresqlServer:
        self.start()
        self.sql(f"CREATE ROLE service LOGIN PASSWORD '{PASSWORD}'")
        return self

    def __exit__(self, *_: object) -> None:
        self.thaw()
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, name: str = "postgres") -> str:
        return f"postgresql+asyncpg://platform:{PASSWORD}@127.0.0.1:{self.port}/{name}"

    def make_database(self, volume: Path | None = None) -> str:
        """An empty database, on a volume of its own if one is given; its URL."""
        name = f"test_{next(self._names)}"
        where = ""
        if volume is not None:
            folder = volume / "tables"
            folder.mkdir(mode=0o700)
            shutil.chown(folder, self._user or os.geteuid())
            self.sql(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
            where = f" TABLESPACE {name}"
        self.sql(f"CREATE DATABASE {name} OWNER service{where}")
        return self.url(name)

    def of_service(self, url: str) -> str:
        """The same for a user without an operator's privileges."""
        return url.replace("//platform:", "//service:")

    def end_connections(self, url: str) -> None:
        """Of everybody else to the database of ``url``."""
        theirs = f"datname = '{_name(url)}' AND pid <> pg_backend_pid()"
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {theirs}")  # noqa: S608 - our own

    @contextmanager
    def crowded(self, url: str) -> Iterator[None]:
        """It has no connection left for the database of ``url``."""
        self.sql(f"ALTER DATABASE {_name(url)} CONNECTION LIMIT 0")
        self.end_connections(url)
        try:
            yield
        finally:
            self.sql(f"ALTER DATABASE {_name(url)} CONNECTION LIMIT -1")

    @contextmanager
    def read_only(self, url: str) -> Iterator[None]:
        """As while an operator lets a standby take over."""
        self.sql(f"ALTER DATABASE {_name(url)} SET default_transaction_read_only = on")
        self.end_connections(url)
        try:
            yield
        finally:
            self.sql(f"ALTER DATABASE {_name(url)} RESET default_transaction_read_only")
            self.end_connections(url)

    @contextmanager
    def other_data(self, url: str) -> Iterator[None]:
        """It was started again, and the database of ``url`` is an empty one. In the end the right one is back."""
        name = _name(url)
        self.stop()
        self.start()
        self._rename(name, f"{name}_kept")
        self.sql(f"CREATE DATABASE {name} OWNER service")
        try:
            yield
        finally:
            self.sql(f"DROP DATABASE {name} WITH (FORCE)")
            self._rename(f"{name}_kept", name)

    def _rename(self, name: str, new: str) -> None:
        self.sql(f"ALTER DATABASE {name} CONNECTION LIMIT 0")  # who is sent away comes again at once
        self.end_connections(name)
        self.sql(f"ALTER DATABASE {name} RENAME TO {new}")
        self.sql(f"ALTER DATABASE {new} CONNECTION LIMIT -1")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Runs a statement as an operator would; what it printed, bare."""
        return self._run(
            *("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "platform", "-d", _name(database)),
            *("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement),
        ).strip()

    def start(self) -> None:
        """Returns when it accepts connections."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(self._programs / "postgres"), "-D", str(self._data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._directory}"),
                    *(part for option in self._options for part in ("-c", option)),
                ],
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                cwd=self._directory,
            )
        deadline = time.monotonic() + 30
        while self._ask_readiness() != 0:
            assert self._process.poll() is None, (self._directory / "log").read_text()
            assert time.monotonic() < deadline, "the server accepts no connections"
            time.sleep(0.05)

    def stop(self) -> None:
        """As an operator does: open connections are ended, what is committed stays."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """At once, without a word to anybody; the next start recovers."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """``kill -9`` of every process at once, as when its container is killed; the next start recovers."""
        assert self._process is not None
        self.freeze()  # so that none of them notices that another one died
        for process in self._frozen:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait(20)
        psutil.wait_procs(self._frozen[1:], timeout=20)  # while one lives, the next start is refused
        self._frozen = []

    def freeze(self) -> None:
        """Every process stops where it is (SIGSTOP); the sockets stay open."""
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        postmaster.suspend()
        self._frozen = [postmaster, *postmaster.children(recursive=True)]
        for process in self._frozen[1:]:
            with suppress(psutil.NoSuchProcess):
                process.suspend()

    def thaw(self) -> None:
        for process in reversed(self._frozen):
            with suppress(psutil.NoSuchProcess):
                process.resume()
        self._frozen = []

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(20)

    def _ask_readiness(self) -> int:
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False, cwd=self._directory).returncode

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._user,
            cwd=self._directory,
            env={**os.environ, "PGPASSWORD": PASSWORD},
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout
