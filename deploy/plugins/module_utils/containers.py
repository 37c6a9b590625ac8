"""The platform's containers on this host as they are, beside what should run."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

LABEL = "llm-platform"
ASK_SECONDS = 3
PROXY = "haproxy"
PROXY_HEALTH = {"ports": {"http": 8404}, "health": "/health"}


@dataclass(frozen=True)
class Container:
    """One container of ours."""

    name: str
    service: str
    replica: str
    state: str
    release: str
    since: str
    """RFC 3339, when it was started."""
    address: str
    """On one of its networks; the loopback's while it does not run, or on the host's network."""


@dataclass(frozen=True)
class ReplicaStatus:
    """One wanted replica, or one that is not wanted and still runs."""

    service: str
    replica: str
    wanted: bool
    state: str
    """As Docker names it; ``missing`` when there is no container."""
    healthy: bool
    reason: str
    """Why it is not healthy; empty when it is."""
    release: str
    since: str

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "running": self.state == "running"}


def containers() -> list[Container]:
    """Ours by label, also stopped ones. Raises OSError when Docker does not answer."""
    listing = docker(["ps", "--all", "--quiet", "--filter", f"label={LABEL}"]).split()
    return [read(one) for one in json.loads(docker(["inspect", *listing]))] if listing else []


def docker(arguments: list[str]) -> str:
    result = subprocess.run(  # noqa: S603 - a list of our own making
        ["docker", *arguments],  # noqa: S607 - whichever client the operator uses
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if result.returncode != 0:
        raise OSError(f"`docker {arguments[0]}` failed: {result.stderr.strip()}")
    return result.stdout


def read(inspected: Mapping[str, Any]) -> Container:
    labels = inspected["Config"]["Labels"]
    networks = inspected["NetworkSettings"]["Networks"].values()
    name = inspected["Name"].removeprefix("/")
    service = labels.get(f"{LABEL}.service", "")
    return Container(
        name=name,
        service=service,
        replica=labels.get(f"{LABEL}.replica", service),
        state=inspected["State"]["Status"],
        release=labels.get(f"{LABEL}.release", ""),
        since=inspected["State"]["StartedAt"].partition(".")[0] + "Z",
        address=next((one["IPAddress"] for one in networks if one["IPAddress"]), "127.0.0.1"),
    )


def statuses(
    present: list[Container], services: Mapping[str, Mapping[str, Any]], replicas: Mapping[str, int]
) -> Iterator[ReplicaStatus]:
    """Every wanted replica of ``services`` (entries of the catalogue) and HAProxy, then what runs beside them."""
    by_name = {one.name: one for one in present}
    wanted = {
        f"{service}-{number}": (service, one)
        for service, one in services.items()
        for number in range(1, int(replicas.get(service, one.get("replicas", 1))) + 1)
    }
    wanted[PROXY] = (PROXY, PROXY_HEALTH)
    for name, (service, asked) in wanted.items():
        container = by_name.get(name)
        if container is None:
            yield ReplicaStatus(service, name, True, "missing", False, "there is no such container", "", "")
            continue
        reason = not_ready(container, asked)
        yield ReplicaStatus(
            service, name, True, container.state, not reason, reason, container.release, container.since
        )
    for container in present:
        draining = container.name.endswith("-draining")
        if container.name in wanted or (draining and container.state == "exited"):
            continue
        reason = "it finishes its open streams" if draining else "it is not wanted"
        yield ReplicaStatus(
            container.service, container.name, False, container.state, False, reason, container.release,
            container.since,
        )  # fmt: skip


def not_ready(container: Container, service: Mapping[str, Any]) -> str:
    """Why it may not serve; empty when it may."""
    if container.state != "running":
        return f"it is {container.state}: `docker logs {container.name}` says why"
    connection = http.client.HTTPConnection(container.address, int(service["ports"]["http"]), timeout=ASK_SECONDS)
    try:
        connection.request("GET", service.get("health", "/health/ready"))
        response = connection.getresponse()
        body = response.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"it does not answer: {error}"
    finally:
        connection.close()
    return "" if response.status == 200 else body
