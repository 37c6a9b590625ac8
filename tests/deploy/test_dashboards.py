"""What a dashboard is told of the platform around it."""

from __future__ import annotations

from typing import Any

import pytest

from llm_platform.core import catalog
from tests.deploy.desired import configuration, hosts, plugin

APART = {"head": ["core"], "model-proxy": ["core"], "tail": ["front"], "ui": ["desk"]}
URLS = {
    "admin-dashboard": "https://admin.example.com/",
    "user-dashboard": "https://llm.example.com",
    "tail": "https://api.example.com",
}
OIDC = {"issuer": "https://id.example.com", "client_id": "platform", "client_secret": "s3cret"}


def dashboard(name: str = "admin-dashboard", **given: Any) -> dict[str, Any]:
    section: dict[str, Any] = configuration(name, **given)["dashboard"]
    return section


def test_on_the_entries_host_it_reaches_them_at_the_hosts_address_in_its_network() -> None:
    assert dashboard("user-dashboard") == {
        "entries": {"tail": "http://172.30.1.1:8000", "gateway": "http://172.30.1.1:8080"},
        "web_root": "/opt/web/user",
    }
    moved = {"client-network": {"subnet": "198.18.1.0/24"}}
    assert dashboard(platform_networks=moved)["entries"]["tail"] == "http://198.18.1.1:8000"


def test_on_a_host_of_its_own_it_reaches_and_shows_the_entries_host() -> None:
    assert dashboard(on="desk", placed=APART) == {
        "entries": {"tail": "http://front:8000", "gateway": "http://front:8080"},
        "web_root": "/opt/web/admin",
        "shown_entry_url": "http://front:8000",
    }


def test_public_addresses_are_shown_and_come_back_to() -> None:
    shown = dashboard(platform_public_urls=URLS)
    assert shown["public_url"] == "https://admin.example.com"
    assert shown["other_url"] == "https://llm.example.com"
    assert shown["shown_entry_url"] == "https://api.example.com"
    signing_in = configuration("auth-service", platform_public_urls=URLS, platform_settings={"oidc": OIDC})
    assert signing_in["oidc"]["redirect_uris"] == [
        "https://admin.example.com/sign-in/callback",
        "https://llm.example.com/sign-in/callback",
    ]


def test_it_knows_that_there_is_an_identity_provider_and_not_the_secret() -> None:
    given = {"platform_settings": {"oidc": OIDC}}
    assert configuration("auth-service", **given)["oidc"]["client_secret"] == "s3cret"
    known = configuration("user-dashboard", **given)["oidc"]
    assert known["issuer"] == OIDC["issuer"]
    assert "client_secret" not in known
    assert "oidc" not in configuration("tail", **given)


@pytest.mark.parametrize("service", ["admin-dashboard", "tail"])
def test_behind_haproxy_the_browsers_address_is_known(service: str) -> None:
    assert configuration(service)["security"]["trusted_proxies"] == ["172.30.1.1"]


def test_a_load_balancer_before_haproxy_is_trusted_too() -> None:
    settings = {"security": {"trusted_proxies": ["203.0.113.0/24"], "rate_limit_rpm": 60}}
    security = configuration("tail", platform_settings=settings)["security"]
    assert security == {"trusted_proxies": ["172.30.1.1", "203.0.113.0/24"], "rate_limit_rpm": 60}
    security = configuration("user-dashboard", platform_settings=settings)["security"]
    assert security == {"trusted_proxies": ["172.30.1.1", "203.0.113.0/24"]}


@pytest.mark.parametrize(
    ("service", "proof"), [("tail", "completion"), ("gateway", "completion"), ("user-dashboard", "page"), ("head", "")]
)
def test_what_a_new_generation_has_to_show(service: str, proof: str) -> None:
    assert plugin.desired(hosts(), "one", service)["proof"] == proof


def test_haproxy_serves_each_dashboard_from_all_its_slots() -> None:
    served = {entry["service"]: entry for entry in plugin.haproxy_services(hosts(), "one")}
    for name, port in (("admin-dashboard", 3001), ("user-dashboard", 3000)):
        assert (served[name]["http"], served[name]["public"], served[name]["dashboard"]) == (port, True, True)
        assert [server["name"] for server in served[name]["servers"]] == [f"{name}-1-a", f"{name}-1-b"]
    assert not served["tail"]["dashboard"]


def test_every_service_can_be_configured() -> None:
    for service in catalog.load().services:
        assert configuration(service)["service"]["name"] == service
