"""What the pages of both dashboards ask, as they ask it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

from bench.dashboards.books import MODELS
from bench.dashboards.stack import Stack
from tests.integration.dashboards.visitor import Visitor

ZONE = "Europe/Berlin"
DEEP_PAGES = 40
"""Pages of 1,000 behind which a deep page is."""


class Asked(NamedTuple):
    """``url`` is the path with its query."""

    name: str
    visitor: Visitor
    url: str


def operations(stack: Stack) -> list[Asked]:
    return [*_of_admin(stack), *_of_organization(stack), *_of_developer(stack)]


TOTALS = "/api/usage?by=provider"
"""All usage, which must cost what the ledger's own sum says."""


def _of_admin(stack: Stack) -> list[Asked]:
    who = stack.admin
    owner = stack.population.keys[0]
    key, team, user = owner.key_id, stack.population.teams[owner.organization_id][0], owner.user_id
    some_key = who.get(_url("/api/keys", page_size=1)).json()["items"][0]
    asked = [
        *_lists(who, "/api/keys", "keys", deep=DEEP_PAGES),
        *_lists(who, "/api/users", "users", deep=1),
        Asked("keys: names for labels (1,000)", who, _url("/api/keys", page_size=1000)),
        Asked("keys: revoked too", who, _url("/api/keys", page_size=50, include_revoked="true")),
        Asked("keys: of an organisation", who, _url("/api/keys", page_size=50, organization=owner.organization_id)),
        Asked("keys: of a team", who, _url("/api/keys", page_size=50, team=team)),
        Asked("keys: of a user", who, _url("/api/keys", page_size=50, user=user)),
        Asked("keys: by id", who, _url("/api/keys", page_size=50, search=f"sk-llm-{key}")),
        Asked("key", who, f"/api/keys/{some_key['key_id']}"),
        Asked("users: of a team", who, _url("/api/users", page_size=50, team=team)),
        Asked("user", who, f"/api/users/{user}"),
        Asked("user: sessions", who, _url("/api/sessions", user=user)),
        Asked("teams", who, _url("/api/teams", page_size=50)),
        Asked("teams: search", who, _url("/api/teams", page_size=50, search="eam 3")),
        Asked("organisations", who, _url("/api/organizations", page_size=50)),
        Asked("overview", who, "/api/overview"),
        Asked("audit log", who, _url("/api/audit", newest_first="true", page_size=50)),
        Asked("audit log: an action", who, _url("/api/audit", newest_first="true", page_size=50, action="Sessions/")),
        Asked("audit log: refused", who, _url("/api/audit", newest_first="true", page_size=50, result="refused")),
        Asked("audit log: an actor", who, _url("/api/audit", newest_first="true", page_size=50, actor=user)),
        Asked("audit log: a target", who, _url("/api/audit", newest_first="true", page_size=50, target=key)),
        Asked("budgets", who, _url("/api/budgets", limit=50)),
        Asked("budgets: of users", who, _url("/api/budgets", limit=50, scope="user")),
        Asked("budgets: of a key", who, _url("/api/budgets", limit=50, scope="key", scope_id=key)),
        Asked("notifications", who, _url("/api/notifications", limit=50)),
        *(
            Asked(f"newest calls{name}", who, _url("/api/attempts", newest_first="true", limit=50, **asked))
            for name, asked in {
                " of a day": {"since": _ago(days=1)},
                " of a provider": {"since": _ago(days=1), "provider": "openai"},
                " of a key": {"since": _ago(days=1), "key_id": key},
                " of a user": {"since": _ago(days=1), "user_id": user},
                " that are uncertain": {"since": _ago(days=1), "certainty": "uncertain"},
            }.items()
        ),
        Asked("a request", who, _url("/api/entries", request_id=_request(stack))),
        *_usage(who, "usage", {}),
        *_usage(who, "usage of an organisation", {"organization_id": owner.organization_id}, longer=False),
        *_usage(who, "usage of a team", {"team_id": team}, longer=False),
        *_usage(who, "usage of a user", {"user_id": user}, longer=False),
        *_usage(who, "usage of a key", {"key_id": key}, longer=False),
        *_usage(who, "usage of a model", {"model": next(iter(MODELS))}, longer=False),
    ]  # fmt: skip
    now = datetime.now(UTC).replace(microsecond=0)
    until = _rfc3339(now - timedelta(minutes=now.minute % 5, seconds=now.second) + timedelta(minutes=5))
    spans = {
        "today": {"since": _day(0), "until": until},
        "this month": {"since": f"{now:%Y-%m}-01", "until": until},
    }
    return asked + [
        Asked(f"overview: {name} until now", who, _url("/api/usage", by=["provider"], time_zone=ZONE, **span))
        for name, span in spans.items()
    ]


def _of_organization(stack: Stack) -> list[Asked]:
    who = stack.organization_admin
    return [
        *_lists(who, "/api/keys", "organisation's admin: keys", deep=1),
        *_lists(who, "/api/users", "organisation's admin: users", deep=0),
        Asked("organisation's admin: audit log", who, _url("/api/audit", newest_first="true", page_size=50)),
        Asked("organisation's admin: budgets", who, _url("/api/budgets", limit=50)),
        *_usage(who, "organisation's admin: usage", {}, longer=False),
    ]


def _of_developer(stack: Stack) -> list[Asked]:
    who = stack.developer
    me = who.get("/api/session").json()["user_id"]
    return [
        Asked("developer: keys", who, _url("/api/keys", page_size=50, user=me)),
        Asked("developer: names", who, _url("/api/keys", page_size=1000, user=me, include_revoked="true")),
        Asked("developer: teams", who, _url("/api/teams", page_size=50, user=me)),
        Asked("developer: budgets", who, _url("/api/budgets", scope="user", scope_id=me)),
        *_usage(who, "developer: usage", {"user_id": me}, longer=False),
    ]


def _lists(who: Visitor, path: str, name: str, deep: int) -> list[Asked]:
    asked = [
        Asked(name, who, _url(path, page_size=50)),
        Asked(f"{name}: search, often", who, _url(path, page_size=50, search="ort")),
        Asked(
            f"{name}: search, hardly ever",
            who,
            _url(path, page_size=50, search="ser.777@" if "users" in path else "ch 77"),
        ),
        Asked(f"{name}: search, never", who, _url(path, page_size=50, search="no such name")),
    ]
    if deep:
        token = _token_after(lambda token: _url(path, page_size=1000 if deep > 1 else 500, page_token=token), who, deep)
        asked.append(Asked(f"{name}: a deep page", who, _url(path, page_size=50, page_token=token)))
    return asked


def _token_after(url: Callable[[str], str], who: Visitor, pages: int) -> str:
    token = ""
    for _ in range(pages):
        token = who.get(url(token)).json()["next_page_token"] or token
    return token


def _usage(who: Visitor, name: str, filters: dict[str, str], *, longer: bool = True) -> list[Asked]:
    spans = {"30 days": (29, 0), "90 days": (89, 0)} if longer else {"30 days": (29, 0)}
    asked: list[Asked] = []
    for span, (first, last) in spans.items():
        base: dict[str, Any] = {"since": _day(first), "until": _day(last - 1), "time_zone": ZONE, **filters}
        asked += [
            Asked(f"{name}, {span}: by {by}", who, _url("/api/usage", by=[by], order="cost", limit=50, **base))
            for by in ("organization", "team", "user", "key", "provider", "model")
        ]
        asked += [
            Asked(f"{name}, {span}: by {', '.join(by)}", who, _url("/api/usage", by=by, **base))
            for by in (["day"], ["day", "model"], ["day", "organization"])
        ]
    return asked


def _request(stack: Stack) -> str:
    found = stack.admin.get(_url("/api/attempts", provider="openai", since=_ago(days=1))).json()["items"]
    return str(found[0]["attempt_id"]).replace("rsv_", "req_").removesuffix("-1")


def _url(path: str, **query: Any) -> str:
    return f"{path}?{urlencode(query, doseq=True)}"


def _day(before: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=before):%Y-%m-%d}"


def _ago(**time: int) -> str:
    return _rfc3339(datetime.now(UTC).replace(microsecond=0) - timedelta(**time))


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
