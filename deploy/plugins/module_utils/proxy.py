"""Brings this host's HAProxy to its desired state without dropping a connection.

A changed configuration is a reload (the workers hand the listeners over); a changed image is a second
container that takes the listeners from the first through its runtime socket, after which the first one
finishes what it has.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.haproxy_socket import HaproxySocket
from ansible.module_utils.replicas import (
    LABEL,
    LABEL_CHECKSUM,
    LABEL_RELEASE,
    LABEL_REPLICA,
    LABEL_SERVICE,
    LABEL_SLOT,
    Change,
    RolloutError,
    checksum,
)

NAME = "haproxy"
CONFIG_IN_CONTAINER = "/etc/haproxy"
RUN_IN_CONTAINER = "/run/haproxy"
READY_SECONDS = 20


@dataclass(frozen=True)
class DesiredProxy:
    """HAProxy as it should be on this host."""

    image: str
    release: str
    configuration: str
    directory: str
    """On the host; holds ``etc/haproxy.cfg`` and ``run/`` with the sockets."""
    uid: int

    @property
    def checksum(self) -> str:
        return checksum(self.image, self.directory, self.uid)


class Proxy:
    """Applies a ``DesiredProxy`` to a Docker engine."""

    def __init__(self, engine: Any, desired: DesiredProxy, *, check: bool = False) -> None:
        self.engine = engine
        self.desired = desired
        self.check = check
        self.changes: list[Change] = []
        self.etc = Path(desired.directory) / "etc"
        self.run_directory = Path(desired.directory) / "run"
        self.socket = HaproxySocket(str(self.run_directory / "admin.sock"))

    def run(self) -> None:
        """Brings it to its desired state; ``changes`` is what was, or in check mode would be, done."""
        current = self.container(NAME)
        change = self.change(current)
        if change is None:
            return
        self.changes.append(change)
        if self.check:
            return
        if change.action == "reload":
            self.reload(current)
        else:
            self.write(self.etc / "haproxy.cfg")
            self.start(current if current is not None and current.status == "running" else None)

    def change(self, current: Any | None) -> Change | None:
        if current is None or current.status != "running":
            return Change(NAME, "start", "it does not exist" if current is None else f"it is {current.status}")
        if current.labels.get(LABEL_CHECKSUM) != self.desired.checksum:
            return Change(NAME, "replace", "its image changed")
        path = self.etc / "haproxy.cfg"
        if not path.exists() or path.read_text() != self.desired.configuration:
            return Change(NAME, "reload", "its configuration changed")
        return None

    def reload(self, current: Any) -> None:
        """A configuration that HAProxy refuses changes nothing."""
        self.write(self.etc / "haproxy.cfg.next")
        code, output = current.exec_run(["haproxy", "-c", "-f", f"{CONFIG_IN_CONTAINER}/haproxy.cfg.next"])
        if code != 0:
            (self.etc / "haproxy.cfg.next").unlink()
            raise RolloutError(f"HAProxy refuses the new configuration: {output.decode(errors='replace').strip()}")
        self.socket.keep_states()
        (self.etc / "haproxy.cfg.next").replace(self.etc / "haproxy.cfg")
        before = self.worker()
        current.kill(signal="SIGUSR2")
        self.wait_for_worker_other_than(before, current)

    def start(self, predecessor: Any | None) -> None:
        desired = self.desired
        command = ["haproxy", "-W", "-db", "-f", f"{CONFIG_IN_CONTAINER}/haproxy.cfg"]
        before = None
        if predecessor is not None:
            self.socket.keep_states()
            before = self.worker()
            command += ["-x", f"{RUN_IN_CONTAINER}/admin.sock"]
        for name in (f"{NAME}-next", NAME if predecessor is None else ""):
            leftover = self.container(name) if name else None
            if leftover is not None:
                leftover.remove(force=True, v=True)
        container = self.engine.containers.create(
            desired.image,
            command,
            name=f"{NAME}-next",
            labels={
                LABEL: "true",
                LABEL_SERVICE: NAME,
                LABEL_CHECKSUM: desired.checksum,
                LABEL_RELEASE: desired.release,
            },
            network_mode="host",
            user=f"{desired.uid}:{desired.uid}",
            volumes=[f"{self.etc}:{CONFIG_IN_CONTAINER}:ro", f"{self.run_directory}:{RUN_IN_CONTAINER}"],
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            restart_policy={"Name": "unless-stopped"},
            log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        )
        container.start()
        try:
            self.wait_for_worker_other_than(before, container)
        except RolloutError:
            container.remove(force=True, v=True)
            raise
        self.drain_empty_slots()
        if predecessor is not None:
            predecessor.update(restart_policy={"Name": "no"})
            old = self.container(f"{NAME}-draining")
            if old is not None:
                old.remove(force=True, v=True)
            predecessor.rename(f"{NAME}-draining")
            predecessor.kill(signal="SIGUSR1")
        container.rename(NAME)

    def write(self, path: Path) -> None:
        for directory in (self.etc, self.run_directory):
            directory.mkdir(parents=True, exist_ok=True)
            os.chown(directory, self.desired.uid, self.desired.uid)
        path.write_text(self.desired.configuration)
        os.chown(path, self.desired.uid, self.desired.uid)

    def drain_empty_slots(self) -> None:
        """HAProxy takes every server for up until its first check; a request would wait for an empty slot."""
        slots = {
            one.labels[LABEL_REPLICA]: one.labels[LABEL_SLOT]
            for one in self.engine.containers.list(filters={"label": LABEL_SLOT})
            if one.name == one.labels[LABEL_REPLICA]
        }
        for backend, server in self.socket.servers():
            replica, _, slot = server.rpartition("-")
            if slots.get(replica, slot) != slot:
                self.socket.set_drain(backend, server)
        self.socket.keep_states()

    def worker(self) -> str | None:
        """The process id of the worker that answers the runtime socket."""
        for line in self.socket.command("show info").splitlines():
            if line.startswith("Pid:"):
                return line
        return None

    def wait_for_worker_other_than(self, before: str | None, container: Any) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            now = self.worker()
            if now is not None and now != before:
                return
            # One that stopped is started again by Docker: a port may be taken for a moment by an outgoing connection.
            time.sleep(0.1)
        log = container.logs(tail=15).decode(errors="replace").rstrip()
        raise RolloutError(
            f"HAProxy did not take over within {READY_SECONDS} s. Mend what its last log lines say and repeat:\n{log}"
        )

    def container(self, name: str) -> Any | None:
        found = self.engine.containers.list(all=True, filters={"name": f"^/?{name}$"})
        return found[0] if found else None
