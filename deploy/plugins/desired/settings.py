"""Which of an environment's settings (``platform_settings``) a service is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from desired.host import Host

SETTINGS_OF: dict[str, tuple[str, ...]] = {
    "tail": ("auth", "security", "routing", "traffic", "limits"),
    "gateway": ("auth", "security", "routing", "traffic", "limits", "providers", "cache"),
    "head": ("routing", "providers", "traffic", "limits", "security"),
    "model-proxy": ("providers", "traffic"),
    "billing": ("billing", "traffic"),
    "rate-limiter": ("traffic",),
    "auth-service": ("sign_in", "oidc", "traffic"),
    "secrets-service": ("traffic",),
    "admin-dashboard": ("oidc", "traffic"),
    "user-dashboard": ("oidc", "traffic"),
}
"""A change reaches only the services that it concerns."""
SETTINGS_OF_ALL = ("logging", "telemetry")
KEY_HOLDER = "model-proxy"
"""The only service that is given provider keys."""
IDENTITY_HOLDER = "auth-service"
"""The only service that is given the secret of the identity provider."""
RULES_HOLDER = "head"
"""The only service that is told of the database of the routing rules."""
OIDC_CALLBACK = "/sign-in/callback"


def settings_of(host: Host, service: str) -> dict[str, Any]:
    """The sections that concern ``service``, with the drain limit in ``traffic``."""
    settings = dict(host.settings)
    settings["traffic"] = {
        "drain_seconds": int(host.variables["platform_drain_seconds"]),
        **settings.get("traffic", {}),
    }
    if "oidc" in settings:
        settings["oidc"] = {"redirect_uris": _redirect_uris(host), **settings["oidc"]}
    chosen = {name: settings[name] for name in (*SETTINGS_OF[service], *SETTINGS_OF_ALL) if name in settings}
    stores = {"stores": store} if service == RULES_HOLDER and (store := _store_of_rules(host)) else {}
    return {section: _without_secrets(section, value, service) for section, value in chosen.items()} | stores


def _store_of_rules(host: Host) -> dict[str, str]:
    """Where head keeps routing rules (docs/routing.md): a file of each host's own would not be the others'."""
    url = host.settings.get("stores", {}).get("routing_url")
    if url is None and len(host.hosts_of(RULES_HOLDER)) > 1:
        url = "none"
    return {"routing_url": url} if url else {}


def _redirect_uris(host: Host) -> list[str]:
    """Where an identity provider may send people back to."""
    urls = host.public_urls
    return [f"{urls[name]}{OIDC_CALLBACK}" for name in host.catalog.dashboards if name in urls]


def _without_secrets(section: str, value: Any, service: str) -> Any:
    if section == "providers" and service != KEY_HOLDER:
        return {name: _without(provider, "api_key") for name, provider in value.items()}
    if section == "oidc" and service != IDENTITY_HOLDER:
        return _without(value, "client_secret")
    return value


def _without(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name != key}
