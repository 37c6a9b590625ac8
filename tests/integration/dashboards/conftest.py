"""People of two organisations, and the platform's administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from llm_platform.core.actor import ROLES
from tests.integration.conftest import Platform
from tests.integration.dashboards.visitor import Visitor

PASSWORD = "a pass phrase of tests 71"
ORGANIZATIONS = ("acme", "globex")


@dataclass(frozen=True)
class People:
    """``admin`` is signed in; the others are made, and sign in with PASSWORD."""

    platform: Platform
    admin: Visitor
    organizations: Mapping[str, str]
    """Name -> id."""
    users: Mapping[str, dict[str, Any]]
    """``acme-developer`` and so on."""

    def visitor(self, name: str, dashboard: str = "admin-dashboard") -> Visitor:
        """One of ``users`` at a dashboard, signed in."""
        visitor = Visitor(self.platform.fleet.url(f"{dashboard}-1"))
        visitor.sign_in(name, PASSWORD)
        return visitor


@pytest.fixture(scope="session")
def people(platform: Platform) -> People:
    admin = Visitor(platform.fleet.url("admin-dashboard-1"))
    admin.sign_in("admin", platform.admin_password)
    organizations = {
        name: admin.made("/api/organizations", {"name": name})["organization_id"] for name in ORGANIZATIONS
    }
    users = {
        f"{organization}-{role}": admin.made(
            "/api/users",
            {"name": f"{organization}-{role}", "role": role, "organization": organization, "password": PASSWORD},
        )
        for organization in ORGANIZATIONS
        for role in ROLES
    }
    return People(platform, admin, organizations, users)
