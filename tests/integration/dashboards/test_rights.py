"""Every operation of both dashboards: without a session, with each role, and with another tenant's ids."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from llm_platform.admin_dashboard.operations import OPERATIONS as ADMIN
from llm_platform.core import catalog
from llm_platform.core.actor import ROLES
from llm_platform.core.catalog.roles import ANYONE, includes
from llm_platform.dashboard.operations import Operation
from llm_platform.user_dashboard.operations import OPERATIONS as USER
from tests.integration.dashboards.conftest import PASSWORD, People
from tests.integration.dashboards.visitor import Visitor

OPERATIONS = [
    *(pytest.param("admin-dashboard", each, id=f"admin {each.name}") for each in ADMIN),
    *(pytest.param("user-dashboard", each, id=f"user {each.name}") for each in USER),
]
CATALOG = catalog.load()


def called(visitor: Visitor, operation: Operation, **headers: str) -> Any:
    """The operation, about something that is not there."""
    path = operation.path.replace("...}", "}")
    for name in operation.path_fields:
        is_number = operation.request.fields_by_name[name].type == FieldDescriptor.TYPE_UINT32
        path = path.replace(f"{{{name}}}", "404" if is_number else "nobody")
    body = {} if operation.has_body else None
    if operation.text:
        body = {"value": "x"}
    return visitor.call(operation.method, path, body, if_match='"1"' if operation.takes_etag else "", **headers)


@pytest.mark.parametrize(("dashboard", "operation"), OPERATIONS)
def test_without_a_session_every_operation_is_refused(people: People, dashboard: str, operation: Operation) -> None:
    reply = called(Visitor(people.platform.fleet.url(f"{dashboard}-1")), operation)
    assert reply.status_code == 401
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_catalogue_says_and_pages_are_told(people: People, role: str) -> None:
    visitor = people.visitor(f"acme-{role}")
    allowed = set(visitor.get("/api/session").json()["allowed"])
    for operation in ADMIN:
        rights = CATALOG.service(operation.port.provider).roles[operation.catalogued]
        may = ANYONE in rights or includes(rights, role, platform=False)
        assert (operation.name in allowed) is may
        reply = called(visitor, operation)
        if not may:
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied"), operation.name
        else:
            assert reply.status_code not in (401, 500), (operation.name, reply.text)


@pytest.mark.parametrize("role", ["billing_viewer", "developer", "read_only"])
def test_the_platforms_own_people_read_its_rules_and_only_its_admins_change_them(people: People, role: str) -> None:
    user = {"name": f"platform-{role}", "role": role, "password": PASSWORD}
    people.admin.made("/api/users", user)
    visitor = people.visitor(user["name"])
    rules = visitor.get("/api/routing")
    assert (rules.status_code, rules.headers["etag"]) == (200, '"0"')
    assert "api_key" not in rules.text
    assert visitor.get("/api/routing/revisions").json()["items"] == []
    document = {"document": {"providers": [{"name": "echo", "type": "echo", "models": [{"name": "echo"}]}]}}
    for method, path, body in (
        ("PUT", "/api/routing", document),
        ("POST", "/api/routing:import", {}),
        ("POST", "/api/routing/revisions/1:restore", {}),
        ("POST", "/api/providers/echo:test", {}),
    ):
        reply = visitor.call(method, path, body, if_match='"0"')
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied"), path
    assert people.admin.get("/api/routing").json()["number"] == 0
    assert people.admin.post("/api/providers/echo:test").json()["ok"] is True


@pytest.mark.parametrize(("dashboard", "operation"), [each for each in OPERATIONS if each.values[1].method != "GET"])
@pytest.mark.parametrize("token", ["", "0" * 64], ids=["without", "with a wrong"])
def test_a_change_needs_the_sessions_csrf_token(
    people: People, dashboard: str, operation: Operation, token: str
) -> None:
    visitor = Visitor(people.platform.fleet.url(f"{dashboard}-1"))
    visitor.http.cookies.update(people.admin.http.cookies)
    visitor.csrf = token
    reply = called(visitor, operation)
    assert (reply.status_code, reply.json()["param"]) == (403, "x-csrf-token")


def test_a_change_that_another_site_begins_is_refused_whatever_it_knows(people: People) -> None:
    for headers in ({"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"origin": "https://evil.test"}):
        for path, body in (("/api/keys", {"name": "evil"}), ("/api/session", {"name": "admin", "password": "x"})):
            reply = people.admin.post(path, body, **headers)
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")


def test_another_tenants_things_are_not_there(people: People) -> None:
    owner, theirs = people.visitor("acme-owner"), people.users["globex-developer"]
    acme, globex = people.organizations["acme"], people.organizations["globex"]
    team = people.admin.made("/api/teams", {"name": "secret-team", "organization": "globex"})["team_id"]
    key = people.admin.made("/api/keys", {"name": "theirs", "user": theirs["user_id"]})["key"]["key_id"]
    budget = {"scope": "organization", "scope_id": globex, "limit": "1000"}
    for method, path, body in (
        ("GET", f"/api/users/{theirs['user_id']}", None),
        ("PATCH", f"/api/users/{theirs['user_id']}", {"name": "taken"}),
        ("DELETE", f"/api/users/{theirs['user_id']}", None),
        ("POST", f"/api/users/{theirs['user_id']}:reset-password", {}),
        ("DELETE", f"/api/users/{theirs['user_id']}/sessions", None),
        ("GET", f"/api/keys/{key}", None),
        ("PATCH", f"/api/keys/{key}", {"name": "taken"}),
        ("DELETE", f"/api/keys/{key}", None),
        ("POST", f"/api/keys/{key}:rotate", {}),
        ("POST", "/api/keys", {"name": "taken", "user": theirs["user_id"]}),
        ("GET", f"/api/teams/{team}", None),
        ("PATCH", f"/api/teams/{team}", {"name": "taken"}),
        ("DELETE", f"/api/teams/{team}", None),
        ("PUT", f"/api/teams/{team}/members/{people.users['acme-owner']['user_id']}", {}),
        ("GET", f"/api/organizations/{globex}", None),
        ("PATCH", f"/api/organizations/{globex}", {"name": "taken"}),
        ("PUT", "/api/budgets", {"budget": budget}),
    ):
        reply = owner.call(method, path, body, if_match='"1"' if method == "PATCH" else "")
        assert reply.status_code in (403, 404), (method, path, reply.text)
        assert "theirs" not in reply.text
    assert {entry["organization_id"] for entry in owner.get("/api/audit").json()["items"]} <= {acme}
    for path in ("/api/users", "/api/keys", "/api/teams", "/api/organizations", "/api/budgets"):
        text = owner.get(path).text
        assert globex not in text, path
        for query in (f"?organization={globex}", f"?organization_id={globex}"):
            text = owner.get(path + query).text
            assert theirs["user_id"] not in text, path + query
            assert key not in text, path + query
    unchanged = people.admin.get(f"/api/users/{theirs['user_id']}").json()
    assert (unchanged["name"], unchanged["disabled_at"]) == ("globex-developer", "")


def test_a_developer_sees_the_budget_of_its_team_and_others_do_not(people: People) -> None:
    team = people.admin.made("/api/teams", {"name": "budgeted", "organization": "acme"})["team_id"]
    developer = people.users["acme-developer"]["user_id"]
    assert people.admin.call("PUT", f"/api/teams/{team}/members/{developer}", {}).status_code == 200
    budget = {"scope": "team", "scope_id": team, "period": "monthly", "limit": "5000000000"}
    assert people.admin.call("PUT", "/api/budgets", {"budget": budget}).status_code == 200
    path = f"/api/budgets?scope=team&scope_id={team}"
    (seen,) = people.visitor("acme-developer", "user-dashboard").get(path).json()["items"]
    assert (seen["limit"], seen["remaining"]) == ("5000000000", "5000000000")
    assert people.visitor("acme-developer", "user-dashboard").get("/api/budgets?scope=key").json()["items"] == []
    for other in ("globex-developer", "acme-read_only"):
        assert people.visitor(other, "user-dashboard").get(path).status_code == 403
