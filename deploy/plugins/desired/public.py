"""What public services are told of the world outside: who stands before them, and how people reach them."""

from __future__ import annotations

from typing import Any

from desired.host import Host
from desired.settings import settings_of

PUBLIC_NETWORK = "client-network"
WEB_ROOT = "/opt/web"
"""Of the image: a directory for each dashboard's pages."""


def security(host: Host, service: str) -> dict[str, Any]:
    """HAProxy runs on the host, so requests come from the host's address in the network: its word is good."""
    catalogued = host.catalog.service(service)
    if not catalogued.public:
        return {}
    further = host.settings.get("security", {}).get("trusted_proxies", [])
    trusted = [host.address_in(catalogued.networks[0]), *further]
    return {"security": {**settings_of(host, service).get("security", {}), "trusted_proxies": trusted}}


def dashboard(host: Host, service: str) -> dict[str, Any]:
    """How a dashboard reaches the entries, and what it tells browsers of where they and it are."""
    if service not in host.catalog.dashboards:
        return {}
    others = (name for name in host.catalog.dashboards if name != service)
    section = {
        "entries": {entry: _entry_url(host, entry) for entry in host.catalog.entries},
        "web_root": f"{WEB_ROOT}/{service.removesuffix('-dashboard')}",
        "public_url": host.public_urls.get(service),
        "other_url": next((host.public_urls[name] for name in others if name in host.public_urls), None),
        "shown_entry_url": _shown_entry_url(host),
    }
    return {"dashboard": {key: value for key, value in section.items() if value}}


def _entry_url(host: Host, entry: str) -> str:
    """Through HAProxy, which finds a replica that serves: on the own host at its address in the network."""
    other = host.nearest(entry)
    address = host.address_in(PUBLIC_NETWORK) if other.name == host.name else other.address
    return f"http://{address}:{host.catalog.service(entry).ports['http']}"


def _shown_entry_url(host: Host) -> str | None:
    """None: the dashboard shows its own host, which browsers know a good name of."""
    entries = host.catalog.entries
    for entry in entries:
        if entry in host.public_urls:
            return host.public_urls[entry]
    away = host.nearest(entries[0]).name != host.name
    return _entry_url(host, entries[0]) if away else None
