"""What people, programs and providers give as text is shown as text, and breaks no page, not even a narrow one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Browser, expect

from tests.browser.seen import Seen
from tests.browser.stack import HOSTILE_MODEL, PASSWORD, Stack
from tests.browser.visits import ADMIN_PATHS, USER_PATHS
from tests.integration.dashboards.visitor import Visitor
from tests.simulator.server import KEY

MARKUP = "<img src=x onerror=window.__xss=1>"
SCRIPT = '"><script>window.__xss=1</script>'
LINK = "javascript:window.__xss=1"
RIGHT_TO_LEFT = "مرحبا\u200dسلام <b>"  # noqa: RUF001 - it is to be ambiguous
LONGEST = "W" * 100
NAMES = (MARKUP, SCRIPT, LINK, RIGHT_TO_LEFT, LONGEST)
REFUSED = ("\u202egnp.exe", "a\u200b", "\u0007", "W" * 101, "W" * 10_000)
"""Characters that reorder or hide what is read; too long."""
USER = "x" * 94 + ".سلام"
ERROR = f"The provider says {MARKUP} {SCRIPT} {LONGEST}"
SECRET = "llm/hostile/api_key"
PHONE = {"width": 390, "height": 844}
MARKED = """() => window.__xss !== undefined || document.querySelector(
  '[onerror], script:not([src]), img[src="x"], [href^="javascript:" i], main b') !== null"""


@dataclass(frozen=True)
class Planted:
    """Ids of what was made with such names."""

    organization: str
    team: str
    user: str
    keys: dict[str, str]
    """Name -> id."""
    key: str
    request: str

    @property
    def admin_paths(self) -> Iterator[str]:
        yield from ADMIN_PATHS
        yield f"/organizations/{self.organization}"
        yield f"/teams/{self.team}"
        yield f"/users/{self.user}"
        yield from (f"/keys/{key_id}" for key_id in self.keys.values())
        yield from (f"/usage?by={by}" for by in ("organization", "team", "user", "key", "model"))
        yield f"/usage?model={quote(HOSTILE_MODEL)}&path=model&by=key"
        yield f"/requests?request={self.request}"
        yield f"/requests?request={quote(MARKUP)}"
        yield f"/secrets?secret={quote(SECRET)}"
        yield f"/audit?target={quote(MARKUP)}"


@pytest.fixture(scope="module")
def planted(stack: Stack) -> Planted:
    admin = stack.admin
    organization = admin.made("/api/organizations", {"name": MARKUP})["organization_id"]
    given = {"name": USER, "role": "developer", "organization": organization, "password": PASSWORD}
    user = admin.made("/api/users", given)["user_id"]
    teams = [
        admin.made("/api/teams", {"name": name, "organization": organization})["team_id"] for name in reversed(NAMES)
    ]
    for team in teams:
        assert admin.call("PUT", f"/api/teams/{team}/members/{user}", {}).status_code == 200
    keys = {name: admin.made("/api/keys", {"name": name, "user": user, "team": teams[-1]}) for name in NAMES}
    for name, made in keys.items():
        stack.fleet.canaries.add(f"key {name}", made["secret"])
    budget = {"scope": "organization", "scope_id": organization, "period": "monthly", "limit": "25000000000"}
    assert admin.call("PUT", "/api/budgets", {"budget": budget}).status_code == 200
    plant_secret(admin)
    return Planted(
        organization,
        teams[-1],
        user,
        {name: made["key"]["key_id"] for name, made in keys.items()},
        keys[MARKUP]["secret"],
        failed_call(stack, keys[MARKUP]["secret"]),
    )


def plant_secret(admin: Visitor) -> None:
    assert admin.call("PUT", "/api/secrets/llm/sim/api_key", {"value": KEY}).status_code == 200
    assert admin.call("PUT", f"/api/secrets/{SECRET}", {"value": KEY}).status_code == 200
    words = {"description": f"{MARKUP} {SCRIPT} {LONGEST * 4}", "labels": {"owner": LONGEST, "note": MARKUP}}
    assert admin.call("PATCH", f"/api/secrets/{SECRET}", words).status_code == 200


def failed_call(stack: Stack, key: str) -> str:
    """The id of a request whose provider failed with ERROR, as it does from now on; one before it was answered."""
    asked = {"model": HOSTILE_MODEL, "messages": [{"role": "user", "content": MARKUP}]}
    for behaviour in ({}, {"fail": -1, "status": 400, "message": ERROR}):
        told = requests.put(f"{stack.provider_url}/behaviour/{quote(HOSTILE_MODEL, '')}", json=behaviour, timeout=10)
        assert told.status_code == 204
        reply = requests.post(
            f"{stack.fleet.url('tail-1')}/v1/chat/completions",
            json=asked,
            headers={"authorization": f"Bearer {key}"},
            timeout=30,
        )
        assert (reply.status_code == 200) == (not behaviour), reply.text
    return reply.headers["x-request-id"]


@pytest.fixture(scope="module")
def phone(browser: Browser, stack: Stack) -> Iterator[Callable[[str, str], Seen]]:
    opened: list[Seen] = []

    def open_(dashboard: str, who: str) -> Seen:
        opened.append(seen := Seen.in_(browser, stack, dashboard, viewport=PHONE))
        seen.sign_in(who)
        return seen

    yield open_
    for seen in opened:
        seen.close()


def is_harmless(seen: Seen) -> None:
    assert seen.page.evaluate(MARKED) is False
    assert seen.wrong == []
    assert seen.too_wide() == [], seen.page.url


def test_the_admins_pages_show_it_as_text(phone: Callable[[str, str], Seen], planted: Planted) -> None:
    seen = phone("admin", "admin")
    shown = ""
    for path in planted.admin_paths:
        seen.visit(path)
        is_harmless(seen)
        shown += seen.page.locator("body").inner_text()
    assert all(name in shown for name in (*NAMES, USER, HOSTILE_MODEL))


def test_the_users_pages_show_it_as_text(phone: Callable[[str, str], Seen], planted: Planted) -> None:
    seen = phone("user", USER)
    shown = ""
    for path in USER_PATHS:
        seen.visit(path)
        is_harmless(seen)
        shown += seen.page.locator("body").inner_text()
    assert all(name in shown for name in (*NAMES, USER, HOSTILE_MODEL))


def test_what_a_provider_says_is_text(phone: Callable[[str, str], Seen], planted: Planted) -> None:
    seen = phone("user", USER)
    seen.visit("/playground")
    page = seen.page
    page.get_by_label("A key of yours").fill(planted.key)
    page.get_by_role("button", name="Use it").click()
    page.get_by_role("combobox", name="Model").fill(HOSTILE_MODEL)
    page.get_by_role("option", name=HOSTILE_MODEL).click()
    page.get_by_label("Message", exact=True).fill(MARKUP)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text(MARKUP)
    seen.settle()
    assert [each.status for each in seen.refused] == [400]
    seen.refused.clear()
    is_harmless(seen)


def test_an_address_is_no_way_in(phone: Callable[[str, str], Seen], stack: Stack) -> None:
    seen = phone("admin", "admin")
    seen.visit(f"/sign-in?error={quote(MARKUP)}&return_to={quote(LINK)}")
    is_harmless(seen)
    seen.give_password("admin")
    seen.page.wait_for_url(f"{seen.url}/")
    seen.settle()
    is_harmless(seen)


@pytest.mark.parametrize("name", REFUSED, ids=("reordered", "hidden", "bell", "long", "very long"))
def test_what_deceives_is_refused(stack: Stack, name: str) -> None:
    reply = stack.admin.post("/api/keys", {"name": name, "user": "acme-developer"})
    assert (reply.status_code, reply.json()["param"]) == (400, "name")
