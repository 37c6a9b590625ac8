"""One host of an inventory, seen through its variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from llm_platform.core.catalog import GENERATIONS, Catalog, Network, load

ROOT = Path(__file__).parents[3]
CATALOG = ROOT / "deploy" / "catalog.yml"

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

    def nearest(self, service: str) -> Host:
        """This host if it runs ``service``, else the first that does."""
        hosts = self.hosts_of(service)
        return next((host for host in hosts if host.name == self.name), hosts[0])

    @property
    def settings(self) -> Mapping[str, Any]:
        """Sections of the services' configuration, over the defaults."""
        return self.variables.get("platform_settings") or {}

    @property
    def public_urls(self) -> Mapping[str, str]:
        """Public service -> how browsers and programs reach it, where that is not its host's port."""
        urls = self.variables.get("platform_public_urls") or {}
        return {service: str(url).rstrip("/") for service, url in urls.items()}

    def address_in(self, network: str) -> str:
        """Where containers on ``network`` reach this host, and where its requests come to them from."""
        return str(self.catalog.networks[network].subnet[1])

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


def _subnets(variables: Variables) -> tuple[tuple[str, str], ...]:
    networks = variables.get("platform_networks") or {}
    return tuple((name, network["subnet"]) for name, network in sorted(networks.items()))


@lru_cache
def _catalog(subnets: Iterable[tuple[str, str]]) -> Catalog:
    """The catalogue, with the environment's own subnets where it has some."""
    catalog = load(CATALOG)
    networks = {**catalog.networks, **{name: Network.model_validate({"subnet": net}) for name, net in subnets}}
    return catalog.model_copy(update={"networks": networks})
