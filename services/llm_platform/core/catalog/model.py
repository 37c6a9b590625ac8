"""The catalogue (``deploy/catalog.yml``): what services exist, what they need and who may call what.

It is read by every service (allow-lists), by the deployment (rollout order, addresses, limits) and by
the monitoring (targets). It is imported on the controller too, so it needs nothing but pydantic and
PyYAML.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from llm_platform.core.catalog.source import CatalogError, Problem, Source

Generation = Literal["a", "b"]
GENERATIONS: tuple[Generation, ...] = ("a", "b")
"""At most two generations of a replica live at once: the serving one and the next or draining one."""

EPHEMERAL_PORTS = range(32768, 61000)
"""Linux takes ports of outgoing connections from here (net.ipv4.ip_local_port_range)."""
FIRST_SERVICE_HOST = 16
"""Addresses below it in each network belong to the bridge and to the stores."""
SLOTS_PER_SERVICE = 16


class PortRange(NamedTuple):
    """Ports ``first`` to ``last``, both included."""

    first: int
    last: int

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @property
    def replicas(self) -> int:
        """How many replicas have a slot in it."""
        return (self.last - self.first + 1) // len(GENERATIONS)

    def meets(self, other: PortRange) -> bool:
        return self.first <= other.last and other.first <= self.last


def _port_range(value: object) -> object:
    if not isinstance(value, str):
        return value
    first, dash, last = value.partition("-")
    if not (dash and first.strip().isdigit() and last.strip().isdigit()):
        raise ValueError("a range of ports is written FIRST-LAST")
    bounds = PortRange(int(first), int(last))
    if not 1024 <= bounds.first < bounds.last <= 65535:
        raise ValueError("a range of ports runs upwards within 1024-65535")
    return bounds


Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Method = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*/[A-Z][A-Za-z]*$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class Network(_Entry):
    """A bridge network, the same on every host."""

    subnet: ipaddress.IPv4Network


class Resources(_Entry):
    """Limits of one replica."""

    cpus: float = Field(gt=0)
    memory_mb: int = Field(ge=64)


class Slo(_Entry):
    """What a service promises over 30 days."""

    availability: float = Field(gt=0, lt=1, description="Share of requests that do not fail by our fault.")
    latency_ms: int = Field(gt=0)
    latency_ratio: float = Field(gt=0, lt=1, description="Share of requests that stay under latency_ms.")


class Service(_Entry):
    """One service of the catalogue."""

    group: str
    slot: int = Field(ge=0, description="Its own number, never reused: fixes its containers' addresses.")
    networks: list[str] = Field(min_length=1)
    ports: dict[Literal["grpc", "control", "http"], Port] = Field(description="Where each container listens.")
    slot_ports: dict[Literal["grpc", "control"], Annotated[PortRange, BeforeValidator(_port_range)]] = {}
    public: bool = False
    needs: list[str] = []
    replicas: int = Field(ge=1, description="On each host of its group.")
    health: str = Field(pattern=r"^/")
    slo: Slo
    resources: Resources
    allow: dict[Method, list[str]]
    roles: dict[Method, list[str]] = Field({}, description="Which people may call it through a dashboard.")
    audit: dict[Method, str] = Field({}, description="What people's calls of it are about: a field of the request.")


class Catalog(_Entry):
    """The whole catalogue, valid as a whole (see ``loading.load``)."""

    groups: list[str] = Field(min_length=1)
    networks: dict[Name, Network]
    metrics_port: Port
    callers: list[Name]
    delegates: list[Name] = Field([], description="Identities that call on behalf of people: see ``roles``.")
    services: dict[Name, Service] = Field(min_length=1)
    _source: Source = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        self._source = context

    @cached_property
    def identities(self) -> frozenset[str]:
        """Every name that may stand in a certificate of the platform."""
        return frozenset(self.services) | frozenset(self.callers)

    def service(self, name: str) -> Service:
        """Raises ``KeyError`` naming the services that exist."""
        try:
            return self.services[name]
        except KeyError:
            raise KeyError(f"no service {name!r} in the catalogue; there are {', '.join(self.services)}") from None

    @property
    def entries(self) -> list[str]:
        """The public services that programs call."""
        return [name for name, service in self.services.items() if service.public and name not in self.delegates]

    @property
    def dashboards(self) -> list[str]:
        """The public services that people sign in at."""
        return [name for name, service in self.services.items() if service.public and name in self.delegates]

    def waves(self) -> list[list[str]]:
        """Rollout order: each wave needs only services of earlier ones. Names in the catalogue's order."""
        depth: dict[str, int] = {}

        def settle(name: str) -> int:
            if name not in depth:
                depth[name] = 1 + max((settle(needed) for needed in self.services[name].needs), default=-1)
            return depth[name]

        count = 1 + max(settle(name) for name in self.services)
        return [[name for name in self.services if depth[name] == wave] for wave in range(count)]

    def allow_list(self, service: str) -> dict[str, frozenset[str]]:
        """Method (``Ledger/Reserve``) -> who may call it at ``service``. A method not in it is refused."""
        return {method: frozenset(callers) for method, callers in self.service(service).allow.items()}

    def allowed_callers(self, service: str, method: str) -> frozenset[str]:
        """Who may call ``method`` (``Ledger/Reserve``) at ``service``; nobody when it is not listed."""
        return frozenset(self.service(service).allow.get(method, ()))

    def rights(self, service: str) -> dict[str, frozenset[str]]:
        """Method (``Ledger/Usage``) -> the rights (``catalog.roles``) that let people call it at ``service``."""
        return {method: frozenset(listed) for method, listed in self.service(service).roles.items()}

    def callees(self, caller: str) -> list[str]:
        """The services that ``caller`` may call: whose endpoints it must know and its hosts must reach."""
        return [name for name, service in self.services.items() if any(caller in who for who in service.allow.values())]

    def slot_port(
        self, service: str, replica: int, generation: Generation, listener: Literal["grpc", "control"] = "grpc"
    ) -> int:
        """The port a host publishes for one generation of one replica (from 1) of ``service``."""
        ports = self.service(service).slot_ports[listener]
        if not 1 <= replica <= ports.replicas:
            raise ValueError(f"{service} has slots for replicas 1 to {ports.replicas} on a host, not {replica}")
        return ports.first + _slot_index(replica, generation)

    def address(self, service: str, replica: int, generation: Generation, network: str) -> ipaddress.IPv4Address:
        """The fixed address of one generation of one replica (from 1) in ``network``, on its host."""
        if not 1 <= replica <= SLOTS_PER_SERVICE // len(GENERATIONS):
            raise ValueError(f"{service} has addresses for replicas 1 to 8 on a host, not {replica}")
        own = self.service(service)
        if network not in own.networks:
            raise ValueError(f"{service} is not on {network}")
        offset = FIRST_SERVICE_HOST + own.slot * SLOTS_PER_SERVICE + _slot_index(replica, generation)
        return self.networks[network].subnet[offset]

    def endpoints(
        self,
        service: str,
        hosts: Iterable[str],
        listener: Literal["grpc", "control"] = "grpc",
        replicas: int | None = None,
    ) -> list[str]:
        """``host:port`` of every slot of ``service`` on ``hosts``: what its callers have as ``peers``.

        Both generations are in it, so the list does not change over updates; about half refuse connections.
        """
        count = replicas or self.service(service).replicas
        return [
            f"{host}:{self.slot_port(service, replica, generation, listener)}"
            for host in hosts
            for replica in range(1, count + 1)
            for generation in GENERATIONS
        ]

    def targets(
        self, hosts: Mapping[str, Iterable[str]], replicas: Mapping[str, int] | None = None
    ) -> list[dict[str, Any]]:
        """Prometheus ``file_sd`` entries, one a replica, scraped through each host's mTLS port.

        ``hosts``: group -> addresses; ``replicas``: service -> count on each host, where it is not the default.
        """
        counts = replicas or {}
        return [
            {
                "targets": [f"{host}:{self.metrics_port}"],
                "labels": {
                    "__metrics_path__": f"/{name}/{replica}/metrics",
                    "service": name,
                    "replica": f"{name}-{replica}",
                    "group": service.group,
                },
            }
            for name, service in self.services.items()
            for host in hosts.get(service.group, ())
            for replica in range(1, counts.get(name, service.replicas) + 1)
        ]

    def port_table(self) -> str:
        """The table of docs/ports.md, in Markdown."""
        lines = [
            "| service | group | port | what | slot ports | networks |",
            "|---|---|---|---|---|---|",
        ]
        for name, service in self.services.items():
            for listener, port in service.ports.items():
                what = self._face(name) if listener == "http" and service.public else _LISTENERS[listener]
                slots = str(service.slot_ports.get(listener, "-")) if listener != "http" else "-"
                lines.append(
                    f"| {name} | {service.group} | {port} | {what} | {slots} | {', '.join(service.networks)} |"
                )
        lines.append(f"| metrics and health off the host | all | {self.metrics_port} | HTTPS with mTLS | - | host |")
        return "\n".join(lines) + "\n"

    def _face(self, public: str) -> str:
        return "web pages" if public in self.dashboards else "HTTP API"

    def check_methods(self, offered: Mapping[str, Iterable[str]]) -> None:
        """Holds ``allow`` against the methods that services really offer (``rpc.ports.offered_methods()``).

        Raises ``CatalogError``: a method that does not exist, or one that nobody decided about.
        """
        problems: list[Problem] = []
        for name, service in self.services.items():
            existing = set(offered.get(name, ()))
            problems += [
                self._source.problem(("services", name, "allow", method), "no such method")
                for method in sorted(service.allow.keys() - existing)
            ]
            problems += [
                self._source.problem(
                    ("services", name, "allow"), f"{method} has no entry: name who may call it, or [] for nobody"
                )
                for method in sorted(existing - service.allow.keys())
            ]
        if problems:
            raise CatalogError(problems)


_LISTENERS = {"grpc": "gRPC", "control": "gRPC control", "http": "HTTP (health, metrics)"}


def _slot_index(replica: int, generation: Generation) -> int:
    return (replica - 1) * len(GENERATIONS) + GENERATIONS.index(generation)
