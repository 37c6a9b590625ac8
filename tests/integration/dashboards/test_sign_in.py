"""Signing in at a dashboard, what its cookie is like, and how a session ends."""

from __future__ import annotations

import time

import pytest

from llm_platform.dashboard.sessions import KEPT_SECONDS
from tests.integration.dashboards.conftest import PASSWORD, People
from tests.integration.dashboards.visitor import Visitor

NEW_PASSWORD = "another pass phrase 93"


def member(people: People, name: str, role: str = "developer") -> dict[str, str]:
    """A user of acme of the test's own."""
    made = {"name": name, "role": role, "organization": "acme", "password": PASSWORD}
    user: dict[str, str] = people.admin.made("/api/users", made)
    return user


def at(people: People, dashboard: str = "admin-dashboard") -> Visitor:
    return Visitor(people.platform.fleet.url(f"{dashboard}-1"))


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(people: People) -> None:
    visitor = at(people)
    reply = visitor.post("/api/session", {"name": "acme-owner", "password": PASSWORD})
    (cookie,) = reply.headers["set-cookie"].split(", ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert reply.headers["cache-control"] == "no-store"
    assert cookie.partition("=")[2].partition(";")[0] not in reply.text


@pytest.mark.parametrize("dashboard", ["admin-dashboard", "user-dashboard"])
def test_every_answer_says_how_a_browser_is_to_treat_it(people: People, dashboard: str) -> None:
    visitor = at(people, dashboard)
    for path in ("/", "/keys/some-key", "/api/session", "/assets/page.js", "/assets/none.js", "/api/info", "/health"):
        headers = visitor.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-request-id"].startswith("req_")


def test_a_page_gets_a_nonce_of_its_own(people: People) -> None:
    pages = [at(people).get("/usage") for _ in range(2)]
    nonces = [page.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0] for page in pages]
    assert nonces[0] != nonces[1]
    assert all(f'content="{nonce}"' in page.text for nonce, page in zip(nonces, pages, strict=True))


def test_files_with_a_hash_last_and_nothing_outside_the_folder_is_served(people: People) -> None:
    visitor = at(people)
    assert "immutable" in visitor.get("/assets/page.js").headers["cache-control"]
    for path in ("/assets/../../fleet.yaml", "/%2e%2e/%2e%2e/operator.yaml", "/assets/missing.js", "/../index.html"):
        assert visitor.get(path).status_code == 404, path


def test_signing_out_ends_the_session_everywhere(people: People) -> None:
    visitor, copy = at(people), at(people, "user-dashboard")
    visitor.sign_in("acme-owner", PASSWORD)
    copy.http.cookies.update(visitor.http.cookies)
    assert copy.get("/api/session").json()["name"] == "acme-owner"
    assert visitor.call("DELETE", "/api/session").status_code == 204
    assert visitor.get("/api/session").status_code == 401
    time.sleep(KEPT_SECONDS)
    assert copy.get("/api/session").status_code == 401


def test_own_sessions_are_listed_and_ended_one_by_one(people: People) -> None:
    member(people, "two-browsers")
    first, second = at(people), at(people, "user-dashboard")
    for visitor in (first, second):
        visitor.sign_in("two-browsers", PASSWORD)
    sessions = first.get("/api/sessions").json()["items"]
    assert len(sessions) == 2
    assert all(session["origin"]["address"] == "127.0.0.1" for session in sessions)
    newest = max(sessions, key=lambda session: session["created_at"])
    assert first.call("DELETE", f"/api/sessions/{newest['session_id']}").status_code == 200
    time.sleep(KEPT_SECONDS)
    assert second.get("/api/session").status_code == 401
    assert first.get("/api/session").status_code == 200


def test_after_a_reset_nothing_is_open_but_to_change_the_password(people: People) -> None:
    user = member(people, "forgetful")
    one_time = people.admin.made(f"/api/users/{user['user_id']}:reset-password", {})["password"]
    visitor = at(people)
    session = visitor.sign_in("forgetful", one_time)
    assert (session["must_change_password"], session["allowed"]) == (True, [])
    assert visitor.get("/api/keys").status_code == 403
    assert visitor.get("/api/session").json()["must_change_password"] is True
    weak = visitor.post("/api/session/password", {"old_password": one_time, "new_password": "short"})
    assert (weak.status_code, weak.json()["param"]) == (400, "password")
    changed = visitor.post("/api/session/password", {"old_password": one_time, "new_password": NEW_PASSWORD})
    assert (changed.status_code, changed.json()["name"]) == (200, "forgetful")
    assert visitor.get("/api/keys").status_code == 200


def test_a_lock_after_failures_says_how_long_it_lasts(people: People) -> None:
    member(people, "guessed")
    visitor = at(people)
    replies = [visitor.post("/api/session", {"name": "guessed", "password": f"guess {n}"}) for n in range(6)]
    assert [reply.status_code for reply in replies[:5]] == [401] * 5
    assert replies[5].status_code == 429
    assert 0 < replies[5].json()["retry_after"] <= 30
    assert replies[5].headers["retry-after"] == str(replies[5].json()["retry_after"])


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": "admin"}', "application/json", 400),
        (b'{"name": "admin", "password": "x", "more": 1}', "application/json", 400),
        (b"name=admin&password=x", "application/x-www-form-urlencoded", 415),
        (b'{"name": "' + b"a" * 2_000_000 + b'", "password": ""}', "application/json", 413),
        (b'{"name": "admin", "password": "' + b"a" * 5_000 + b'"}', "application/json", 401),
    ],
)
def test_an_odd_sign_in_is_refused_clearly(people: People, body: bytes, content_type: str, status: int) -> None:
    visitor = at(people)
    reply = visitor.http.post(f"{visitor.url}/api/session", body, headers={"content-type": content_type}, timeout=30)
    assert reply.status_code == status
    assert reply.json()["detail"]


def test_a_service_account_calls_the_api_with_its_key_alone(people: People) -> None:
    robot = people.admin.made(
        "/api/users", {"name": "robot", "role": "admin", "organization": "acme", "kind": "service_account"}
    )
    key = people.admin.made("/api/keys", {"name": "of the robot", "user": robot["user_id"]})["secret"]
    person_key = people.admin.made("/api/keys", {"name": "of a person", "user": "acme-admin"})["secret"]
    program = at(people)
    made = program.post("/api/teams", {"name": "made-by-robot"}, authorization=f"Bearer {key}")
    assert made.status_code == 200, made.text
    assert made.json()["organization_id"] == people.organizations["acme"]
    assert program.get("/api/session", authorization=f"Bearer {key}").json()["name"] == "robot"
    assert program.get("/api/teams", authorization=f"Bearer {person_key}").status_code == 403
    assert program.get("/api/teams", authorization="Bearer sk-llm-none").status_code == 401
