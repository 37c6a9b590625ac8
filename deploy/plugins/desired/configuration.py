"""The configuration files that hosts are given (``core/config/model.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from desired import public
from desired.host import Host, Variables
from desired.settings import settings_of
from llm_platform.core.catalog import GENERATIONS

CONFIG_DIRECTORY = "/etc/llm-platform"
DATA_DIRECTORY = "/var/lib/llm-platform"
ENVIRONMENT_NAMES = {"dev": "dev", "lab": "dev", "staging": "staging", "production": "prod"}
PEER_NETWORK = "llm-network"


def configuration(host: Host, service: str, replica: str) -> dict[str, Any]:
    """The configuration file of one replica (``core/config/model.py``)."""
    variables = host.variables
    catalogued = host.catalog.service(service)
    environment = variables["platform_environment"]
    return {
        "service": {
            "name": service,
            "environment": ENVIRONMENT_NAMES[environment],
            "replica": replica,
            "data_dir": DATA_DIRECTORY,
            "catalog": f"{CONFIG_DIRECTORY}/catalog.yml",
        },
        "listen": {"host": "0.0.0.0", **catalogued.ports},
        "tls": _tls(variables),
        "peers": peers(host, service),
        **settings_of(host, service),
        **public.security(host, service),
        **public.dashboard(host, service),
    }


def operator_configuration(hostvars: Mapping[str, Variables], host_name: str) -> str:
    """The configuration of the command line on ``host_name``: its peers and the operator's certificate."""
    host = Host(hostvars, host_name)
    return text(
        {
            "service": {
                "name": "operator",
                "environment": ENVIRONMENT_NAMES[host.variables["platform_environment"]],
                "replica": "operator",
                "data_dir": "/tmp",  # noqa: S108 - the container's own tmpfs; the command line keeps nothing
                "catalog": f"{CONFIG_DIRECTORY}/catalog.yml",
            },
            "tls": _tls(host.variables),
            "peers": peers(host, "operator"),
            "logging": {"level": "warning"},
        }
    )


def peers(host: Host, caller: str) -> dict[str, list[str]]:
    """Endpoints of every slot of every replica that ``caller`` on ``host`` may call.

    Slots do not move, so this stays the same over updates: on the own host the container's address, elsewhere
    the port that the host publishes for the slot.
    """
    found: dict[str, list[str]] = {}
    for callee in host.catalog.callees(caller):
        catalogued = host.catalog.service(callee)
        for listener in ("grpc", "control"):
            if listener not in catalogued.ports:
                continue
            name = callee if listener == "grpc" else f"{callee}/{listener}"
            found[name] = [
                endpoint
                for other in host.hosts_of(callee)
                for replica in range(1, other.replicas(callee) + 1)
                for slot in GENERATIONS
                for endpoint in [_endpoint(host, other, callee, replica, slot, listener)]
            ]
    return found


def _endpoint(host: Host, other: Host, callee: str, replica: int, slot: Any, listener: Any) -> str:
    if other.name == host.name:
        address = host.catalog.address(callee, replica, slot, PEER_NETWORK)
        return f"{address}:{host.catalog.service(callee).ports[listener]}"
    return f"{other.address}:{host.catalog.slot_port(callee, replica, slot, listener)}"


def _tls(variables: Variables) -> dict[str, str]:
    return {
        "certificate": f"{CONFIG_DIRECTORY}/pki/certificate.pem",
        "key": f"{CONFIG_DIRECTORY}/pki/key.pem",
        "authority": f"{CONFIG_DIRECTORY}/pki/authority.pem",
        "trust_domain": variables["platform_trust_domain"],
    }


def text(value: Mapping[str, Any]) -> str:
    """As YAML, which services read."""
    return yaml.safe_dump(_plain(value), sort_keys=False, default_flow_style=False, width=120)


def _plain(value: Any) -> Any:
    """Ansible's own string and mapping types as plain ones, which YAML can write."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)
