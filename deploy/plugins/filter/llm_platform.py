"""Filters that compute, from the catalogue and an environment's variables, what each host should run.

All of it is a pure function of the catalogue and the variables, so that a plan, a deploy and a test see the
same. What the values mean on the host: ``module_utils/replicas.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "services"))
sys.path.insert(0, str(ROOT / "deploy" / "plugins"))

from desired.configuration import (  # noqa: E402
    CONFIG_DIRECTORY,
    DATA_DIRECTORY,
    configuration,
    operator_configuration,
    text,
)
from desired.host import CATALOG, Host, Variables  # noqa: E402
from module_utils.replicas import checksum  # noqa: E402

from llm_platform.core.catalog import load  # noqa: E402

PROXY_TEMPLATE = ROOT / "roles" / "haproxy" / "templates" / "haproxy.cfg.j2"


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
        "proof": _proof(host, service),
        "config_dir": f"{variables['platform_config_dir']}/services",
        "uid": int(variables["platform_uid"]),
        "drain_seconds": int(variables["platform_drain_seconds"]),
        "proxied": [service, *(f"{service}-{listener}" for listener in catalogued.ports if listener != "http")],
    }


def _proof(host: Host, service: str) -> str:
    """What a new generation has to show beside its readiness."""
    if service in host.catalog.dashboards:
        return "page"
    return "completion" if service in host.catalog.entries else ""


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
    return {name: text(configuration(host, service, name)) for name in names}


def haproxy_services(hostvars: Mapping[str, Variables], host_name: str) -> list[dict[str, Any]]:
    """Each service of ``host_name`` with its ports and the address of every slot, for haproxy.cfg."""
    host = Host(hostvars, host_name)
    return [
        {
            "service": service,
            "public": host.catalog.service(service).public,
            "dashboard": service in host.catalog.dashboards,
            "host_address": host.address_in(host.catalog.service(service).networks[0]),
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
