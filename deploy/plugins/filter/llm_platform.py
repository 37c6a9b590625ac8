"""Filters that compute, from the catalogue and an environment's variables, what each host should run.

All of it is a pure function of the catalogue and the variables, so that a plan, a deploy and a test see the
same. What the values mean on the host: ``module_utils/replicas.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "services"))
sys.path.insert(0, str(ROOT / "deploy" / "plugins"))

from module_utils.replicas import checksum  # noqa: E402

from llm_platform.core.catalog import GENERATIONS, Catalog, Network, load  # noqa: E402

CATALOG = ROOT / "deploy" / "catalog.yml"
PROXY_TEMPLATE = ROOT / "roles" / "haproxy" / "templates" / "haproxy.cfg.j2"
CONFIG_DIRECTORY = "/etc/llm-platform"
DATA_DIRECTORY = "/var/lib/llm-platform"
ENVIRONMENT_NAMES = {"dev": "dev", "lab": "dev", "staging": "staging", "production": "prod"}
PEER_NETWORK = "llm-network"

SETTINGS_OF: dict[str, tuple[str, ...]] = {
    "tail": ("auth", "security", "routing", "traffic", "limits"),
    "gateway": ("auth", "security", "routing", "traffic", "limits", "providers", "cache"),
    "head": ("routing", "providers", "traffic", "limits", "security"),
    "model-proxy": ("providers", "traffic"),
    "billing": ("billing", "traffic"),
    "rate-limiter": ("traffic",),
    "auth-service": ("traffic",),
    "secrets-service": ("traffic",),
}
"""Which sections of the environment's settings a service is given. A change reaches only those it concerns."""
SETTINGS_OF_ALL = ("logging", "telemetry")
KEY_HOLDER = "model-proxy"
"""The only service that is given provider keys."""

Variables = Mapping[str, Any]


class Host:
    """One host of the inventory, seen through its variables."""

    def __init__(self, hostvars: Mapping[str, Variables], name: str) -> None:
        self.hostvars = hostvars
        self.name = name
        self.variables = hostvars[name]
        self.catalog = _catalog(_subnets(self.variables))

    def replicas(self, service: str) -> int:
        return int(self.variables.get("platform_replicas", {}).get(service, self.catalog.service(service).replicas))

    def hosts_of(self, service: str) -> list[Host]:
        groups = self.variables["groups"]
        return [Host(self.hostvars, name) for name in groups.get(self.catalog.service(service).group, [])]

    def services(self) -> list[str]:
        groups = self.variables["groups"]
        return [name for name, one in self.catalog.services.items() if self.name in groups.get(one.group, [])]

    @property
    def address(self) -> str:
        """Where other hosts reach this one."""
        return str(self.variables.get("platform_address") or self.variables.get("ansible_host") or self.name)

    def addresses(self, service: str, replica: int) -> dict[str, dict[str, str]]:
        """Slot -> network -> address of one replica on this host."""
        return {
            slot: {
                network: str(self.catalog.address(service, replica, slot, network))
                for network in self.catalog.service(service).networks
            }
            for slot in GENERATIONS
        }


def desired(hostvars: Mapping[str, Variables], host_name: str, service: str) -> dict[str, Any]:
    """What ``host_name`` should run of ``service``: the argument of the module ``llm_platform_replicas``."""
    host = Host(hostvars, host_name)
    catalogued = host.catalog.service(service)
    variables = host.variables
    image = variables["platform_images"]["platform"]["id"]
    command = ["run", service, "--config", f"{CONFIG_DIRECTORY}/config.yaml"]
    container = _container(host, service)
    volumes = [
        f"{variables['platform_data_dir']}/{service}:{DATA_DIRECTORY}",
        f"{variables['platform_config_dir']}/pki/{service}:{CONFIG_DIRECTORY}/pki:ro",
    ]
    replicas = []
    for number, (name, config) in enumerate(_configurations(host, service).items(), 1):
        addresses = host.addresses(service, number)
        replicas.append(
            {
                "name": name,
                "checksum": checksum(image, command, container, volumes, addresses, config, CATALOG.read_text()),
                "addresses": addresses,
                "config": config,
            }
        )
    return {
        "service": service,
        "release": variables["platform_release"],
        "image": image,
        "command": command,
        "replicas": replicas,
        "container": container,
        "volumes": volumes,
        "catalog": CATALOG.read_text(),
        "gate": {
            "port": catalogued.ports["http"],
            "path": catalogued.health,
            "timeout": int(variables.get("platform_gate_seconds", 60)),
        },
        "public": catalogued.public,
        "config_dir": f"{variables['platform_config_dir']}/services",
        "uid": int(variables["platform_uid"]),
        "drain_seconds": int(variables["platform_drain_seconds"]),
        "proxied": [service, *(f"{service}-{listener}" for listener in catalogued.ports if listener != "http")],
    }


def release(hostvars: Mapping[str, Variables]) -> str:
    """Names what all hosts are given: the images (by their inputs), the catalogue and every rendered configuration."""
    hosts = [Host(hostvars, name) for name in sorted(hostvars)]
    images = sorted(one["reference"] for one in hosts[0].variables["platform_images"].values())
    given = [
        (host.name, service, _container(host, service), _configurations(host, service))
        for host in hosts
        for service in host.services()
    ]
    proxies = [haproxy_services(hostvars, host.name) for host in hosts]
    return checksum(images, given, proxies, CATALOG.read_text(), PROXY_TEMPLATE.read_text())[:12]


def _configurations(host: Host, service: str) -> dict[str, str]:
    """Replica -> the text of its configuration file."""
    names = [f"{service}-{number}" for number in range(1, host.replicas(service) + 1)]
    return {name: _yaml(configuration(host, service, name)) for name in names}


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
        **_settings(variables, service),
        **_behind_the_proxy(host, service),
    }


def _behind_the_proxy(host: Host, service: str) -> dict[str, Any]:
    """HAProxy runs on the host, so requests come from the first address of the network: its word is good."""
    catalogued = host.catalog.service(service)
    if not catalogued.public:
        return {}
    proxy = str(host.catalog.networks[catalogued.networks[0]].subnet[1])
    return {"security": {"trusted_proxies": [proxy], **_settings(host.variables, service).get("security", {})}}


def operator_configuration(hostvars: Mapping[str, Variables], host_name: str) -> str:
    """The configuration of the command line on ``host_name``: its peers and the operator's certificate."""
    host = Host(hostvars, host_name)
    return _yaml(
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


def haproxy_services(hostvars: Mapping[str, Variables], host_name: str) -> list[dict[str, Any]]:
    """Each service of ``host_name`` with its ports and the address of every slot, for haproxy.cfg."""
    host = Host(hostvars, host_name)
    return [
        {
            "service": service,
            "public": host.catalog.service(service).public,
            **host.catalog.service(service).ports,
            "servers": [
                {"name": f"{service}-{replica}-{slot}", "address": next(iter(networks.values()))}
                for replica in range(1, host.replicas(service) + 1)
                for slot, networks in host.addresses(service, replica).items()
            ],
        }
        for service in host.services()
    ]


def _container(host: Host, service: str) -> dict[str, Any]:
    variables = host.variables
    resources = host.catalog.service(service).resources
    own = variables.get("platform_resources", {}).get(service, {})
    cores = float(variables.get("ansible_facts", {}).get("processor_nproc") or 0)
    cpus = float(own.get("cpus", resources.cpus))
    return {
        "user": f"{variables['platform_uid']}:{variables['platform_uid']}",
        "read_only": True,
        "tmpfs": {"/tmp": "size=64m,mode=1777"},  # noqa: S108 - the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 512,
        # Docker refuses more CPUs than the host has.
        "nano_cpus": int(min(cpus, cores or cpus) * 1e9),
        "mem_limit": f"{own.get('memory_mb', resources.memory_mb)}m",
        "restart_policy": {"Name": "unless-stopped"},
        "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    }


def _tls(variables: Variables) -> dict[str, str]:
    return {
        "certificate": f"{CONFIG_DIRECTORY}/pki/certificate.pem",
        "key": f"{CONFIG_DIRECTORY}/pki/key.pem",
        "authority": f"{CONFIG_DIRECTORY}/pki/authority.pem",
        "trust_domain": variables["platform_trust_domain"],
    }


def _settings(variables: Variables, service: str) -> dict[str, Any]:
    """The environment's settings that concern ``service``, with the drain limit in ``traffic``."""
    settings = dict(variables.get("platform_settings") or {})
    settings["traffic"] = {"drain_seconds": int(variables["platform_drain_seconds"]), **settings.get("traffic", {})}
    chosen = {name: settings[name] for name in (*SETTINGS_OF[service], *SETTINGS_OF_ALL) if name in settings}
    if service != KEY_HOLDER and "providers" in chosen:
        chosen["providers"] = {
            name: {key: value for key, value in provider.items() if key != "api_key"}
            for name, provider in chosen["providers"].items()
        }
    return chosen


def _subnets(variables: Variables) -> tuple[tuple[str, str], ...]:
    networks = variables.get("platform_networks") or {}
    return tuple((name, network["subnet"]) for name, network in sorted(networks.items()))


@lru_cache
def _catalog(subnets: Iterable[tuple[str, str]]) -> Catalog:
    """The catalogue, with the environment's own subnets where it has some."""
    catalog = load(CATALOG)
    networks = {**catalog.networks, **{name: Network.model_validate({"subnet": net}) for name, net in subnets}}
    return catalog.model_copy(update={"networks": networks})


def _yaml(value: Mapping[str, Any]) -> str:
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


def waves(_: Any) -> list[list[dict[str, str]]]:
    """Rollout order: a list of waves, each a list of ``{service, group}``."""
    catalog = load(CATALOG)
    return [[{"service": name, "group": catalog.service(name).group} for name in wave] for wave in catalog.waves()]


class FilterModule:
    """What Ansible finds here."""

    def filters(self) -> dict[str, Any]:
        return {
            "llm_platform_desired": desired,
            "llm_platform_haproxy": haproxy_services,
            "llm_platform_operator_configuration": operator_configuration,
            "llm_platform_release": release,
            "llm_platform_waves": waves,
        }
