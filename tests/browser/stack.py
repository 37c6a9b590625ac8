"""The platform with its dashboards' built pages, people of every role, and something to look at."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from llm_platform.core import catalog
from llm_platform.core.actor import ROLES
from llm_platform.dashboard.pages import CHECKOUT
from tests.compat.entries import simulator
from tests.fleet import Fleet
from tests.integration.dashboards.visitor import Visitor
from tests.servers.identity_provider import IdentityProvider
from tests.servers.openbao import OpenBao

PASSWORD = "a pass phrase of tests 71"
MODELS = ("echo", "echo-small")
SOMEBODY = "zoe"
"""Known to the identity provider alone, as a developer."""
SIMULATED = "sim"
"""A model of the provider ``sim``, whose key is not there in the beginning: ``llm/sim/api_key``."""
HOSTILE_MODEL = "<img/src=x/onerror=window.__xss=1>"
"""Another one of the same provider."""
_CALLS = 30


@dataclass(frozen=True)
class Stack:
    """A running fleet; everybody but ``admin`` signs in with PASSWORD."""

    fleet: Fleet
    admin: Visitor
    admin_password: str
    key: str
    provider_url: str
    """Of the simulator, without its path."""

    def url(self, dashboard: str) -> str:
        return self.fleet.url(f"{dashboard}-dashboard-1")


def build_pages() -> None:
    """Builds the pages when they are not there, as an image does."""
    if not all((CHECKOUT / name / "dist" / "index.html").is_file() for name in ("admin", "user")):
        subprocess.run(["make", "web"], cwd=CHECKOUT.parents[1], check=True, timeout=900)


@contextmanager
def running(directory: Path) -> Iterator[Stack]:
    build_pages()
    with ExitStack() as started:
        provider = started.enter_context(simulator())
        fleet = Fleet(directory, settings=_settings(provider), services=catalog.load().services)
        callbacks = [f"{fleet.url(f'{each}-dashboard-1')}/sign-in/callback" for each in ("admin", "user")]
        people = IdentityProvider(started.enter_context(OpenBao()), *callbacks)
        people.add_person(SOMEBODY, "engineers")
        fleet.configure({"oidc": people.section() | {"redirect_uris": callbacks, "organization": "org_platform"}})
        started.enter_context(fleet)
        password = fleet.command("bootstrap")["password"]
        admin = Visitor(fleet.url("admin-dashboard-1"))
        admin.sign_in("admin", password)
        yield Stack(fleet, admin, password, _furnish(fleet, admin), provider.removesuffix("/v1"))


def _settings(provider: str) -> dict[str, Any]:
    served = [*(f"echo/{model}" for model in MODELS), f"sim/{SIMULATED}", f"sim/{HOSTILE_MODEL}"]
    return {
        "providers": {
            "echo": {"type": "echo", "models": list(MODELS)},
            "sim": {"type": "openai", "base_url": provider, "retry_count": 0, "models": [SIMULATED, HOSTILE_MODEL]},
        },
        # The last is a provider that a test adds.
        "billing": {"prices": {model: [150_000, 600_000] for model in (*served, "echo-two/*")}},
    }


def _furnish(fleet: Fleet, admin: Visitor) -> str:
    """People, teams, keys, budgets and calls; the secret of a developer's key."""
    admin.made("/api/organizations", {"name": "acme"})
    team = admin.made("/api/teams", {"name": "search", "organization": "acme"})
    for role in ROLES:
        name = f"acme-{role.replace('_', '-')}"
        user = admin.made("/api/users", {"name": name, "role": role, "organization": "acme", "password": PASSWORD})
        admin.call("PUT", f"/api/teams/{team['team_id']}/members/{user['user_id']}", {})
    admin.made("/api/users", {"name": "platform-reader", "role": "read_only", "password": PASSWORD})
    secret = str(
        admin.made("/api/keys", {"name": "search service", "user": "acme-developer", "team": "search"})["secret"]
    )
    admin.made("/api/keys", {"name": "notebook", "user": "acme-developer", "limits": {"requests_per_minute": 60}})
    user = admin.get("/api/users/acme-developer").json()
    budget = {"scope": "user", "scope_id": user["user_id"], "period": "monthly", "limit": "25000000000"}
    admin.call("PUT", "/api/budgets", {"budget": budget | {"thresholds": [50, 90]}})
    admin.call("PUT", "/api/secrets/llm/openai/api_key", {"value": "canary-of-a-provider-in-a-browser"})
    fleet.canaries.add("a provider's key", "canary-of-a-provider-in-a-browser")
    for number in range(_CALLS):
        entry = "tail-1" if number % 3 else "gateway-1"
        asked = {
            "model": MODELS[number % 4 == 0],
            "messages": [{"role": "user", "content": "Say it again. " * (1 + number % 7)}],
        }
        headers = {"authorization": f"Bearer {secret}"}
        requests.post(f"{fleet.url(entry)}/v1/chat/completions", json=asked, headers=headers, timeout=30)
    return secret
