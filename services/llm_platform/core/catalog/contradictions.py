"""What each part of a catalogue permits, and the whole of it does not."""

from __future__ import annotations

from collections.abc import Iterator

from llm_platform.core.catalog import roles as rights
from llm_platform.core.catalog.model import (
    EPHEMERAL_PORTS,
    FIRST_SERVICE_HOST,
    SLOTS_PER_SERVICE,
    Catalog,
    PortRange,
)
from llm_platform.core.catalog.source import Place


def contradictions(catalog: Catalog) -> Iterator[tuple[Place, str]]:
    """Where each stands, and what it is."""
    yield from _unknown_names(catalog)
    yield from _people(catalog)
    yield from _cycles(catalog)
    yield from _port_clashes(catalog)
    yield from _slot_clashes(catalog)


def _people(catalog: Catalog) -> Iterator[tuple[Place, str]]:
    for index, delegate in enumerate(catalog.delegates):
        if delegate not in catalog.identities:
            yield ("delegates", index), f"{delegate!r} is neither a service nor in callers"
    for name, service in catalog.services.items():
        for place, reason in rights.contradictions(catalog.delegates, service.allow, service.roles):
            yield ("services", name, *place), reason
        for method in service.audit.keys() - service.allow.keys():
            yield ("services", name, "audit", method), f"{method} is not in allow"


def _unknown_names(catalog: Catalog) -> Iterator[tuple[Place, str]]:
    for index, caller in enumerate(catalog.callers):
        if caller in catalog.services:
            yield ("callers", index), f"{caller} is a service already"
    for name, service in catalog.services.items():
        here: Place = ("services", name)
        if service.group not in catalog.groups:
            yield (*here, "group"), f"unknown group {service.group!r}; there are {', '.join(catalog.groups)}"
        for index, network in enumerate(service.networks):
            if network not in catalog.networks:
                yield (
                    (*here, "networks", index),
                    f"unknown network {network!r}; there are {', '.join(catalog.networks)}",
                )
        for index, needed in enumerate(service.needs):
            if needed not in catalog.services:
                yield (*here, "needs", index), f"unknown service {needed!r}"
        for method, callers in service.allow.items():
            for index, caller in enumerate(callers):
                if caller not in catalog.identities:
                    yield (*here, "allow", method, index), f"caller {caller!r} is neither a service nor in callers"


def _cycles(catalog: Catalog) -> Iterator[tuple[Place, str]]:
    """Each cycle once, at the service in it that stands first in the file."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> Iterator[list[str]]:
        if name in path:
            yield [*path[path.index(name) :], name]
        elif name not in done:
            for needed in catalog.services[name].needs:
                if needed in catalog.services:
                    yield from walk(needed, [*path, name])
            done.add(name)

    for name in catalog.services:
        for cycle in walk(name, []):
            yield ("services", cycle[0], "needs"), f"the services need each other: {' -> '.join(cycle)}"


def _port_clashes(catalog: Catalog) -> Iterator[tuple[Place, str]]:
    """In ``dev`` one host runs everything, so no port may be taken twice, whatever the groups."""
    taken: list[tuple[PortRange, str]] = [(PortRange(catalog.metrics_port, catalog.metrics_port), "metrics_port")]
    for name, service in catalog.services.items():
        claims = [("ports", listener, PortRange(port, port)) for listener, port in service.ports.items()]
        claims += [("slot_ports", listener, ports) for listener, ports in service.slot_ports.items()]
        for kind, listener, ports in claims:
            place: Place = ("services", name, kind, listener)
            for other, owner in taken:
                if ports.meets(other):
                    yield place, f"port {max(ports.first, other.first)} is taken by {owner}"
            taken.append((ports, f"{name} ({kind}.{listener})"))


def _slot_clashes(catalog: Catalog) -> Iterator[tuple[Place, str]]:
    owners: dict[int, str] = {}
    for name, service in catalog.services.items():
        here: Place = ("services", name)
        if service.slot in owners:
            yield (*here, "slot"), f"slot {service.slot} is taken by {owners[service.slot]}"
        owners[service.slot] = name
        last_host = FIRST_SERVICE_HOST + (service.slot + 1) * SLOTS_PER_SERVICE - 1
        for network in service.networks:
            subnet = catalog.networks[network].subnet if network in catalog.networks else None
            if subnet is not None and last_host >= subnet.num_addresses - 1:
                yield (*here, "slot"), f"slot {service.slot} does not fit into {network} ({subnet})"
        for listener in service.ports.keys() - {"http"} - service.slot_ports.keys():
            yield (*here, "ports", listener), "a gRPC port needs slot_ports, or other hosts cannot reach its replicas"
        for listener, ports in service.slot_ports.items():
            place: Place = (*here, "slot_ports", listener)
            if listener not in service.ports:
                yield place, f"there is no {listener} in ports"
            if ports.replicas < service.replicas:
                yield place, f"{ports} has slots for {ports.replicas} replicas, not for {service.replicas}"
            if ports.last >= EPHEMERAL_PORTS.start and ports.first < EPHEMERAL_PORTS.stop:
                yield place, f"{ports} lies in the range of outgoing connections ({EPHEMERAL_PORTS.start}-60999)"
