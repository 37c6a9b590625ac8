"""What a host must be before anything on it is changed. Every refusal says what is wrong and how to mend it."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SUPPORTED = {"debian": ("12", "13")}
OLDEST_PYTHON = (3, 11)
OLDEST_DOCKER = (20, 10)
CONTROLLERS = {"cpu", "memory", "pids"}
REACH_SECONDS = 15
LISTEN = "0A"  # state of a listening socket in /proc/net/tcp


@dataclass(frozen=True)
class Wanted:
    """What the platform needs on this host. Paths are variables so that a refusal can be shown."""

    ports: dict[int, str]
    """Port -> who of the platform listens there."""
    networks: dict[str, str]
    """Network -> subnet."""
    bridges: dict[str, str]
    """Network -> name of its bridge."""
    disk_mb: int
    memory_mb: int
    data_directories: list[str]
    """Where data needs space; images need it in Docker's own directory."""
    cpus: dict[str, float] = field(default_factory=dict)
    """Service -> its limit."""
    reach: list[str] = field(default_factory=list)
    """Addresses that must answer because something has to be downloaded."""
    os_release: Path = Path("/etc/os-release")
    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")


class Host:
    """This host as it is."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted

    def problems(self) -> list[str]:
        """Everything that stands in the way, all at once. A question without meaning yet is not asked."""
        checks: list[Callable[[], Iterable[str]]] = [
            self.distribution,
            self.python,
            self.privileges,
            self.docker,
            self.disk,
            self.memory,
            self.cgroups,
            *([self.ports] if os.geteuid() == 0 else []),  # others do not see which containers are our own
            self.subnets,
            self.registries,
        ]
        return [problem for check in checks for problem in check()]

    def notes(self) -> list[str]:
        """What is done otherwise than the catalogue says."""
        cores = len(os.sched_getaffinity(0))
        return [
            f"{service} is limited to {cores} CPUs, not {limit:g}: this host has no more"
            for service, limit in self.wanted.cpus.items()
            if limit > cores
        ]

    def distribution(self) -> Iterator[str]:
        known = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', self.wanted.os_release.read_text(), re.MULTILINE))
        name, version = known.get("ID", "unknown"), known.get("VERSION_ID", "")
        if version not in SUPPORTED.get(name, ()):
            yield (
                f"{known.get('PRETTY_NAME', name)} is not supported: deploy to Debian 12 (bookworm) or 13 (trixie), "
                "or run the image by itself (`llm-gateway serve`)"
            )

    def python(self) -> Iterator[str]:
        if sys.version_info[:2] < OLDEST_PYTHON:
            yield f"Python {sys.version.split()[0]} is too old: set ansible_python_interpreter to a 3.11 or newer"

    def privileges(self) -> Iterator[str]:
        if os.geteuid() != 0 and output(["sudo", "-n", "true"]) is None:
            yield "this user is not root and may not use sudo without a password: run as root, or allow it in sudoers"

    def docker(self) -> Iterator[str]:
        server = output(["docker", "version", "--format", "{{.Server.Version}}"])
        if server is not None and version(server) < OLDEST_DOCKER:
            yield f"Docker Engine {server} is too old: upgrade to 20.10 or newer"
        denied = os.geteuid() == 0 and server is None and socket_is_denied(Path("/var/run/docker.sock"))
        if denied:
            yield "Docker refuses this user: run as root, or add the user to the group docker and log in again"

    def disk(self) -> Iterator[str]:
        directories = [docker_directory(), *self.wanted.data_directories]
        filesystems = {nearest(Path(one)).stat().st_dev: one for one in reversed(directories)}
        for directory in filesystems.values():
            free = shutil.disk_usage(nearest(Path(directory))).free // 2**20
            if free < self.wanted.disk_mb:
                yield (
                    f"{directory} has {free} MB free, {self.wanted.disk_mb} MB are needed: free space "
                    "(`docker system df` shows what images take), or lower platform_minimum_disk_mb"
                )

    def memory(self) -> Iterator[str]:
        total = int(re.findall(r"MemTotal:\s+(\d+)", (self.wanted.proc / "meminfo").read_text())[0]) // 1024
        if total < self.wanted.memory_mb:
            yield (
                f"this host has {total} MB of memory, {self.wanted.memory_mb} MB are needed: take a larger one, or "
                "lower platform_resources and platform_minimum_memory_mb"
            )

    def cgroups(self) -> Iterator[str]:
        unified = self.wanted.cgroup / "cgroup.controllers"
        if unified.exists():
            present = set(unified.read_text().split())
        else:
            present = {name for path in self.wanted.cgroup.glob("*") for name in path.name.split(",")}
        missing = sorted(CONTROLLERS - present)
        if missing:
            yield (
                f"the kernel has no cgroup controller for {', '.join(missing)}, so limits cannot be kept: boot with "
                "cgroup_enable=memory, or give this container its own cgroup namespace"
            )

    def ports(self) -> Iterator[str]:
        own = own_containers()
        for port, service in sorted(self.wanted.ports.items()):
            for process in self.listeners(port):
                if not process.belongs_to(own):
                    yield f"port {port} ({service}) is taken by {process}: stop it, or move it to another port"
                    break

    def listeners(self, port: int) -> Iterator[Process]:
        """Who listens on ``port``, on any address."""
        inodes = {
            columns[9]
            for table in ("net/tcp", "net/tcp6")
            if (self.wanted.proc / table).exists()
            for columns in map(str.split, (self.wanted.proc / table).read_text().splitlines()[1:])
            if columns[3] == LISTEN and int(columns[1].rpartition(":")[2], 16) == port
        }
        if inodes:
            yield self.process_of({f"socket:[{inode}]" for inode in inodes})

    def process_of(self, sockets: set[str]) -> Process:
        for files in self.wanted.proc.glob("[0-9]*/fd"):
            try:
                if any(str(one.readlink()) in sockets for one in files.iterdir()):
                    return Process(files.parent)
            except OSError:
                continue  # it ended meanwhile, or is another user's
        return Process(None)

    def subnets(self) -> Iterator[str]:
        bridges = {bridge: network for network, bridge in self.wanted.bridges.items()}
        for route, interface in self.routes():
            network = bridges.get(interface)
            if network is not None and str(route) != self.wanted.networks.get(network, str(route)):
                yield (
                    f"{network} exists with the subnet {route}, not {self.wanted.networks[network]}: replicas would "
                    "lose their addresses. Set platform_networks back, or destroy this environment first"
                )
            if network is not None:
                continue
            for name, subnet in self.wanted.networks.items():
                if route.overlaps(ipaddress.IPv4Network(subnet)):
                    yield (
                        f"{name} wants {subnet}, but {route} is routed to {interface}: set platform_networks to a "
                        "free subnet, or remove the other network (`docker network ls`)"
                    )

    def routes(self) -> Iterator[tuple[ipaddress.IPv4Network, str]]:
        """Subnets with a route of their own, and the interface."""
        for line in (self.wanted.proc / "net/route").read_text().splitlines()[1:]:
            interface, destination, *_, mask, _mtu, _window, _irtt = line.split()
            if mask != "00000000":
                yield ipaddress.IPv4Network((little_endian(destination), str(little_endian(mask)))), interface

    def registries(self) -> Iterator[str]:
        for address in self.wanted.reach:
            reason = unreachable(address)
            if reason is not None:
                yield (
                    f"{address} cannot be reached ({reason}), and packages have to be downloaded: check the network "
                    "and its proxy, or name mirrors of your own (platform_debian_mirrors, pip's index-url, npm's "
                    "registry)"
                )


@dataclass(frozen=True)
class Process:
    """Who holds a socket; ``folder`` is its directory in /proc, None when it could not be found."""

    folder: Path | None

    def __str__(self) -> str:
        if self.folder is None:
            return "another process"
        return f"{(self.folder / 'comm').read_text().strip()} (pid {self.folder.name})"

    def belongs_to(self, containers: Iterable[str]) -> bool:
        if self.folder is None:
            return False
        group = (self.folder / "cgroup").read_text()
        return any(container in group for container in containers)


def own_containers() -> list[str]:
    """Ids of the platform's own containers."""
    command = ["docker", "ps", "--quiet", "--no-trunc", "--filter", "label=llm-platform"]
    return (output(command) or "").split()


def output(command: list[str]) -> str | None:
    """What a command prints; None when it fails or does not exist."""
    try:
        result = subprocess.run(  # noqa: S603 - commands are lists of our own making
            command, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def docker_directory(settings: Path = Path("/etc/docker/daemon.json")) -> str:
    """Where Docker keeps images: what a running engine says, else what it is configured with."""
    running = output(["docker", "info", "--format", "{{.DockerRootDir}}"])
    if running:
        return running
    try:
        return str(json.loads(settings.read_text())["data-root"])
    except (OSError, ValueError, KeyError):
        return "/var/lib/docker"


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def socket_is_denied(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def nearest(path: Path) -> Path:
    """The path itself, or its nearest parent that exists: where it would be made."""
    return next(one for one in (path, *path.parents) if one.exists())


def little_endian(number: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int.from_bytes(bytes.fromhex(number), "little"))


def unreachable(address: str) -> str | None:
    """Why nothing answers there; an HTTP error is an answer."""
    try:
        urllib.request.urlopen(address, timeout=REACH_SECONDS).close()  # noqa: S310 - the operator's own mirrors
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return None
