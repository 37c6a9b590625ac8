"""Brings the replicas of one service on one host to their desired state, start-first.

Each replica has two fixed slots, ``a`` and ``b``, with addresses of their own. A new generation starts in
the slot that is free, must be ready and answer a real request, gets the new requests and takes the
replica's name; the old one is told to drain and nobody waits for it. Runs on the managed host; needs the
Docker SDK for Python (Debian: python3-docker).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SLOTS = ("a", "b")
LABEL = "llm-platform"
LABEL_CHECKSUM = f"{LABEL}.checksum"
LABEL_SLOT = f"{LABEL}.slot"
LABEL_SERVICE = f"{LABEL}.service"
LABEL_REPLICA = f"{LABEL}.replica"
LABEL_RELEASE = f"{LABEL}.release"
CONFIG_IN_CONTAINER = "/etc/llm-platform"


class RolloutError(Exception):
    """A replica could not be brought to its desired state. The message says what to do."""


@dataclass(frozen=True)
class Replica:
    """One replica as it should be. ``addresses`` maps slot -> network -> IPv4 address."""

    name: str
    checksum: str
    addresses: dict[str, dict[str, str]]
    config: str
    """The rendered configuration file."""


@dataclass(frozen=True)
class Desired:
    """What one host should run of one service."""

    service: str
    release: str
    image: str
    command: list[str]
    replicas: list[Replica]
    container: dict[str, Any]
    """What the Docker SDK's ``containers.create`` takes beside image, name, command, networks and volumes."""
    volumes: list[str]
    gate: dict[str, Any]
    """``port``, ``path`` and ``timeout`` (seconds)."""
    catalog: str
    """The text of deploy/catalog.yml as released."""
    config_dir: str
    uid: int
    drain_seconds: int
    proof: str = ""
    """What a new generation shows beside its readiness: a ``completion`` (an entry), its ``page`` (a dashboard)."""
    proxied: list[str] = field(default_factory=list)
    """HAProxy backends whose servers are this service's slots."""


def checksum(*parts: Any) -> str:
    """What decides whether a container is the desired one: everything it was created from."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass
class Change:
    """One thing that was, or in check mode would be, done."""

    replica: str
    action: str
    reason: str
    seconds: float = 0.0

    def line(self) -> str:
        return f"{self.replica}: {self.action} ({self.reason})"


def reason_to_replace(labels: dict[str, str] | None, status: str, wanted: Replica) -> str | None:
    """Why the running container is not the desired one; None when it is."""
    if labels is None:
        return "it does not exist"
    if status != "running":
        return f"it is {status}"
    if labels.get(LABEL_CHECKSUM) != wanted.checksum:
        return "its image or configuration changed"
    return None


def free_slot(used: set[str]) -> str | None:
    """The slot no living generation holds."""
    return next((slot for slot in SLOTS if slot not in used), None)


class Rollout:
    """Applies a ``Desired`` to a Docker engine, replica by replica."""

    def __init__(
        self,
        engine: Any,
        proxy: Any,
        gate: Any,
        desired: Desired,
        *,
        check: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.engine = engine
        self.proxy = proxy
        self.gate = gate
        self.desired = desired
        self.check = check
        self.clock = clock
        self.sleep = sleep
        self.changes: list[Change] = []

    def run(self) -> None:
        """Brings every replica to its desired state, one after the other; ``changes`` is what was done."""
        self.remove_exited_generations()
        for replica in self.desired.replicas:
            self.finish_interrupted_switch(replica)
            reason = self.reason_to_replace(replica)
            if reason is None:
                continue
            self.replace(replica, reason)
        self.drain_surplus_replicas()
        if not self.check:
            self.remove_unused_configurations()

    def replace(self, replica: Replica, reason: str) -> None:
        change = Change(replica.name, "replace" if self.container(replica.name) else "start", reason)
        self.changes.append(change)
        if self.check:
            return
        started = self.clock()
        slot = self.wait_for_free_slot(replica)
        following = self.start_next_generation(replica, slot)
        self.pass_gate_or_remove(replica, following, slot)
        self.take_the_name(replica, following)
        self.switch_new_requests(replica, slot)
        self.drain_predecessor(replica)
        change.seconds = round(self.clock() - started, 1)

    # What is there

    def container(self, name: str) -> Any | None:
        """The container of exactly that name; None if there is none."""
        found = self.engine.containers.list(all=True, filters={"name": f"^/?{name}$"})
        return found[0] if found else None

    def generations(self, replica: str) -> list[Any]:
        containers: list[Any] = self.engine.containers.list(
            all=True, filters={"label": [f"{LABEL_REPLICA}={replica}", f"{LABEL_SERVICE}={self.desired.service}"]}
        )
        return containers

    def reason_to_replace(self, replica: Replica) -> str | None:
        current = self.container(replica.name)
        if current is None:
            return reason_to_replace(None, "", replica)
        return reason_to_replace(current.labels, current.status, replica)

    # The procedure

    def remove_exited_generations(self) -> None:
        """Takes away what finished draining. Its logs were kept until now."""
        for container in self.engine.containers.list(
            all=True, filters={"label": f"{LABEL_SERVICE}={self.desired.service}", "status": "exited"}
        ):
            if container.name.endswith("-draining") and not self.check:
                container.remove(v=True)

    def finish_interrupted_switch(self, replica: Replica) -> None:
        """A run that was cut off leaves either an unproven next generation, which goes, or a half-done switch,
        which is finished."""
        if self.check:
            return
        following = self.container(f"{replica.name}-next")
        if following is not None:
            following.remove(force=True, v=True)
        current = self.container(replica.name)
        if current is not None and current.status == "running":
            self.switch_new_requests(replica, current.labels.get(LABEL_SLOT, SLOTS[0]))
            self.drain_predecessor(replica)

    def wait_for_free_slot(self, replica: Replica) -> str:
        """At most two generations live at once: a third waits for the draining one, and says so."""
        deadline = self.clock() + self.desired.drain_seconds + 10
        while True:
            alive = [one for one in self.generations(replica.name) if one.status in ("running", "created", "paused")]
            slot = free_slot({one.labels.get(LABEL_SLOT, "") for one in alive})
            if slot is not None:
                return slot
            if self.clock() > deadline:
                names = ", ".join(sorted(one.name for one in alive))
                raise RolloutError(
                    f"{replica.name}: both generations are still alive ({names}). The draining one has open streams "
                    f"past the drain limit of {self.desired.drain_seconds} s; end it with `docker stop` and repeat."
                )
            self.sleep(0.5)
            self.remove_exited_generations()

    def start_next_generation(self, replica: Replica, slot: str) -> Any:
        desired, networks = self.desired, replica.addresses[slot]
        directory = self.write_configuration(replica)
        container = self.engine.containers.create(
            desired.image,
            desired.command,
            name=f"{replica.name}-next",
            labels={
                LABEL: "true",
                LABEL_SERVICE: desired.service,
                LABEL_REPLICA: replica.name,
                LABEL_SLOT: slot,
                LABEL_CHECKSUM: replica.checksum,
                LABEL_RELEASE: desired.release,
            },
            network=next(iter(networks)),
            volumes=[
                *desired.volumes,
                *(f"{file}:{CONFIG_IN_CONTAINER}/{file.name}:ro" for file in directory.iterdir()),
            ],
            **desired.container,
        )
        try:
            self.take_addresses(container, networks)
            container.start()
        except Exception:
            container.remove(force=True, v=True)
            raise
        return container

    def take_addresses(self, container: Any, networks: dict[str, str]) -> None:
        """Joins each network under the slot's own address. (``create`` cannot name it in Docker SDKs before 7.)"""
        for position, (name, address) in enumerate(networks.items()):
            network = self.engine.networks.get(name)
            if position == 0:
                network.disconnect(container)
            network.connect(container, ipv4_address=address)

    def write_configuration(self, replica: Replica) -> Path:
        """Each generation keeps the files it was started with, so that the old one can be started again."""
        directory = Path(self.desired.config_dir) / replica.name / replica.checksum
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in (("config.yaml", replica.config), ("catalog.yml", self.desired.catalog)):
            path = directory / name
            path.touch(mode=0o600)
            path.write_text(text)
            os.chown(path, self.desired.uid, self.desired.uid)
        return directory

    def remove_unused_configurations(self) -> None:
        for replica in self.desired.replicas:
            used = {one.labels.get(LABEL_CHECKSUM) for one in self.generations(replica.name)} | {replica.checksum}
            parent = Path(self.desired.config_dir) / replica.name
            for directory in parent.iterdir() if parent.is_dir() else ():
                if directory.name not in used:
                    shutil.rmtree(directory)

    def pass_gate_or_remove(self, replica: Replica, container: Any, slot: str) -> None:
        """The new generation proves itself before anything is taken from the old one."""
        problem = self.gate.wait(container, replica.addresses[slot])
        if problem is None:
            return
        log = container.logs(tail=15).decode(errors="replace").rstrip()
        container.remove(force=True, v=True)
        raise RolloutError(
            f"{replica.name}: the new generation did not pass its gate: {problem}. It was removed; "
            f"{'the previous one still serves' if self.container(replica.name) else 'nothing ran before'}. "
            f"Its last log lines:\n{log}"
        )

    def take_the_name(self, replica: Replica, following: Any) -> None:
        current = self.container(replica.name)
        if current is not None:
            if current.status == "running":
                current.update(restart_policy={"Name": "no"})
                current.rename(f"{replica.name}-draining")
            else:
                current.remove(force=True, v=True)
        following.rename(replica.name)

    def switch_new_requests(self, replica: Replica, slot: str) -> None:
        for backend in self.desired.proxied:
            self.proxy.set_ready(backend, f"{replica.name}-{slot}")
            for other in SLOTS:
                if other != slot:
                    self.proxy.set_drain(backend, f"{replica.name}-{other}")
        self.proxy.keep_states()

    def drain_predecessor(self, replica: Replica) -> None:
        """Tells the old generation to stop; it leaves by itself when its last stream has ended."""
        old = self.container(f"{replica.name}-draining")
        if old is not None and old.status == "running" and not self.gate.is_draining(old):
            old.kill(signal="SIGTERM")

    def drain_surplus_replicas(self) -> None:
        wanted = {replica.name for replica in self.desired.replicas}
        for container in self.engine.containers.list(filters={"label": f"{LABEL_SERVICE}={self.desired.service}"}):
            name = container.labels.get(LABEL_REPLICA, "")
            if name in wanted or container.name != name:
                continue
            self.changes.append(Change(name, "drain", "fewer replicas are wanted"))
            if self.check:
                continue
            for backend in self.desired.proxied:
                self.proxy.set_drain(backend, f"{name}-{container.labels.get(LABEL_SLOT)}")
            container.update(restart_policy={"Name": "no"})
            container.rename(f"{name}-draining")
            container.kill(signal="SIGTERM")
