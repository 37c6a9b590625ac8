"""Each refusal of the preflight, shown on this very machine."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.preflight import Host, Wanted, docker_directory, unreachable


def wanted(**different: Any) -> Wanted:
    modest = Wanted(
        ports={},
        networks={"client-network": "198.18.77.0/24"},
        bridges={"client-network": "llm-client-test"},
        disk_mb=1,
        memory_mb=1,
        data_directories=["/var/lib/not-there-yet"],
    )
    return dataclasses.replace(modest, **different)


@pytest.fixture
def listener() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_names_the_process_that_holds_it(listener: int) -> None:
    (problem,) = Host(wanted(ports={listener: "tail"})).ports()
    assert f"port {listener} (tail) is taken by" in problem
    assert f"(pid {os.getpid()})" in problem
    assert "stop it" in problem


def test_a_port_taken_over_ipv6_counts_too() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6) as server:
        assert list(Host(wanted(ports={server.getsockname()[1]: "tail"})).ports())


def test_a_free_port_is_no_problem(listener: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    assert not list(Host(wanted(ports={free: "tail"})).ports())


def test_a_disk_that_is_too_small_is_named_once_for_each_filesystem() -> None:
    other = "/dev/shm"  # noqa: S108 - a file system of its own
    directories = [docker_directory(), f"{other}/one", f"{other}/two"]
    problem, *others = sorted(Host(wanted(disk_mb=10**9, data_directories=directories)).disk())
    assert f"{other}/one has" in problem
    assert len(others) == 1
    assert "1000000000 MB are needed" in problem


def test_docker_keeps_images_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "daemon.json"
    monkeypatch.setenv("PATH", str(tmp_path))  # without a client nothing answers
    assert docker_directory(settings) == "/var/lib/docker"
    settings.write_text('{"data-root": "/srv/docker"}')
    assert docker_directory(settings) == "/srv/docker"
    (tmp_path / "docker").write_text("#!/bin/sh\necho /mnt/docker\n")
    (tmp_path / "docker").chmod(0o755)
    assert docker_directory(settings) == "/mnt/docker"


def test_too_little_memory_is_refused() -> None:
    (problem,) = Host(wanted(memory_mb=10**9)).memory()
    assert "lower platform_resources" in problem


@pytest.mark.parametrize(
    ("release", "refused"),
    [
        ('ID=debian\nVERSION_ID="12"\n', False),
        ('ID=debian\nVERSION_ID="13"\n', False),
        ('PRETTY_NAME="Debian 11"\nID=debian\nVERSION_ID="11"\n', True),
        ('PRETTY_NAME="Fedora 43"\nID=fedora\nVERSION_ID=43\n', True),
        ("ID=debian\n", True),
    ],
)
def test_only_debian_12_and_13_are_supported(tmp_path: Path, release: str, refused: bool) -> None:
    (tmp_path / "os-release").write_text(release)
    problems = list(Host(wanted(os_release=tmp_path / "os-release")).distribution())
    assert bool(problems) is refused
    assert all("Debian 12 (bookworm) or 13 (trixie)" in one for one in problems)


def test_missing_cgroup_controllers_are_named(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io\n")
    (problem,) = Host(wanted(cgroup=tmp_path)).cgroups()
    assert "memory, pids" in problem


ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
{interface}\t{destination}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0
"""


def routed(tmp_path: Path, interface: str, destination: str = "004D12C6", mask: str = "00FFFFFF") -> Path:
    """198.18.77.0/24 unless said otherwise; the kernel writes both in its own byte order."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "route").write_text(ROUTES.format(interface=interface, destination=destination, mask=mask))
    return tmp_path


def test_a_subnet_that_is_routed_elsewhere_is_refused(tmp_path: Path) -> None:
    (problem,) = Host(wanted(proc=routed(tmp_path, "br-other", "000012C6", "0000FFFF"))).subnets()
    assert "client-network wants 198.18.77.0/24" in problem
    assert "br-other" in problem


def test_our_own_bridge_is_no_clash(tmp_path: Path) -> None:
    assert not list(Host(wanted(proc=routed(tmp_path, "llm-client-test"))).subnets())


def test_a_subnet_that_moved_under_running_replicas_is_refused(tmp_path: Path) -> None:
    moved = wanted(proc=routed(tmp_path, "llm-client-test"), networks={"client-network": "198.18.99.0/24"})
    (problem,) = Host(moved).subnets()
    assert "exists with the subnet 198.18.77.0/24, not 198.18.99.0/24" in problem


def test_the_kernels_routes_are_read() -> None:
    assert all(isinstance(route, ipaddress.IPv4Network) for route, _ in Host(wanted()).routes())


def test_a_mirror_out_of_reach_is_refused_with_the_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    address = f"http://127.0.0.1:{closed}/debian"
    (problem,) = Host(wanted(reach=[address])).registries()
    assert "Connection refused" in problem
    assert "check the network" in problem
    assert unreachable("not an address") is not None


def test_limits_above_the_hosts_cores_are_noted_not_refused() -> None:
    (note,) = Host(wanted(cpus={"model-proxy": 4096, "tail": 0.1})).notes()
    assert note.startswith("model-proxy is limited to")


def test_all_problems_are_told_at_once(listener: int) -> None:
    problems = Host(wanted(ports={listener: "tail"}, disk_mb=10**9, memory_mb=10**9)).problems()
    assert len(problems) >= 3
