"""The JSON API: what it takes, what it answers, and that changes are based on what was read."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from datetime import datetime

import pytest
import requests

from tests.integration.dashboards.conftest import People

XSS = "<img src=x onerror=alert(1)>"


def test_two_admins_edit_at_once_and_the_second_is_told(people: People) -> None:
    team = people.admin.made("/api/teams", {"name": "edited", "organization": "acme"})
    path = f"/api/teams/{team['team_id']}"
    read = people.admin.get(path)
    assert read.headers["etag"] == f'"{read.json()["etag"]}"'
    first = people.admin.call("PATCH", path, {"name": "edited-first"}, if_match=read.headers["etag"])
    second = people.admin.call("PATCH", path, {"name": "edited-second"}, if_match=read.headers["etag"])
    without = people.admin.call("PATCH", path, {"name": "edited-third"})
    assert (first.status_code, second.status_code, without.status_code) == (200, 412, 428)
    assert second.json()["param"] == "etag"
    assert people.admin.get(path).json()["name"] == "edited-first"


def test_what_a_page_has_already_is_not_sent_again(people: People) -> None:
    first = people.admin.get("/api/models")
    again = people.admin.get("/api/models", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"nam": "x"}', "There is no field 'nam' in CreateKeyRequest; there are name, user"),
        (b'{"allowedModels": ["x"]}', "There is no field 'allowedModels'"),
        (b'{"name": NaN}', "NaN is no number of JSON"),
        (b'{"name": "a", "name": "b"}', "a name stands twice"),
        (b'{"name": "a", "limits": {"requests_per_minute": -1}}', "out of range"),
        (b'{"name": "a", "limits": {"tokens_per_minute": "1e400"}}', "tokens_per_minute"),
        (b'{"name": "a", "limits": {"tokens_per_minute": 18446744073709551616}}', "out of range"),
        (b"[]", "JSON object"),
        (b"[" * 100_000, "no JSON"),
        (b"\xff", "no JSON"),
    ],
)
def test_an_odd_body_is_refused_with_what_is_wrong(people: People, body: bytes, said: str) -> None:
    visitor = people.admin
    headers = {"x-csrf-token": visitor.csrf, "content-type": "application/json"}
    reply = visitor.http.post(f"{visitor.url}/api/keys", body, headers=headers, timeout=30)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_request")
    assert said in reply.json()["detail"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?pagesize=1", "There is no parameter 'pagesize' here; there are"),
        ("?page_size=x", "page_size"),
        ("?page_size=-1", "page_size"),
        ("?user=a&user=b", "user is given twice"),
        ("?include_revoked=maybe", "include_revoked"),
    ],
)
def test_an_odd_query_is_refused_with_what_is_wrong(people: People, query: str, said: str) -> None:
    reply = people.admin.get(f"/api/keys{query}")
    assert reply.status_code == 400
    assert said in reply.json()["detail"]


def test_markup_in_every_field_comes_back_as_text_of_json(people: People) -> None:
    made = people.admin.post("/api/keys", {"name": XSS, "user": "acme-owner"})
    assert made.headers["content-type"].startswith("application/json")
    shown = people.admin.get(f"/api/keys/{made.json()['key']['key_id']}")
    assert shown.json()["name"] == XSS
    assert shown.headers["x-content-type-options"] == "nosniff"
    refused = people.admin.get(f"/api/keys/{XSS}")
    assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json")


def test_a_secret_is_set_rotated_and_never_shown(people: People) -> None:
    admin, path = people.admin, "/api/secrets/llm/dashboards/api_key"
    people.platform.fleet.canaries.add("a secret set at the dashboard", "canary-at-the-dashboard-1")
    people.platform.fleet.canaries.add("a secret rotated at the dashboard", "canary-at-the-dashboard-2")
    assert admin.call("PUT", path, {"value": "canary-at-the-dashboard-1"}).json()["version"] == 1
    assert admin.post(f"{path}:rotate", {"value": "canary-at-the-dashboard-2"}).json()["version"] == 2
    assert admin.post(f"{path}:disable", {"version": 1}).status_code == 200
    assert admin.call("PATCH", path, {"description": "for tests"}).status_code == 200
    (info,) = [
        each for each in admin.get("/api/secrets").json()["items"] if each["path"].endswith("dashboards/api_key")
    ]
    assert (info["current_version"], info["description"], info["updated_by"]) == (2, "for tests", "admin")
    assert "canary" not in json.dumps(info)
    assert admin.get(path).status_code in (404, 405)
    audited = admin.get("/api/audit?target=llm/dashboards/api_key").json()["items"]
    assert {entry["action"] for entry in audited} >= {"Secrets/Put", "Secrets/Rotate", "Secrets/Disable"}
    assert {entry["actor_name"] for entry in audited} == {"admin"}


def test_a_call_is_seen_in_usage_entries_and_the_table(people: People) -> None:
    fleet = people.platform.fleet
    asked = {"model": "echo", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}
    headers = {"authorization": f"Bearer {people.platform.key}"}
    called = requests.post(f"{fleet.url('tail-1')}/v1/chat/completions", json=asked, headers=headers, timeout=30)
    assert called.status_code == 200
    request_id = called.headers["x-request-id"]
    kinds: set[str] = set()
    deadline = time.monotonic() + 30
    while "settle" not in kinds and time.monotonic() < deadline:
        entries = people.admin.get(f"/api/entries?request_id={request_id}").json()["items"]
        kinds = {entry["kind"] for entry in entries}
    assert {"reserve", "settle"} <= kinds
    settle = next(entry for entry in entries if entry["kind"] == "settle")
    assert settle["sent_at"]
    assert 0 < int(settle["first_byte_us"]) <= int(settle["duration_us"])
    assert settle["provider_request_id"] == called.json()["id"]
    of_it = people.admin.get(f"/api/attempts?provider_request_ids={settle['provider_request_id']}").json()["items"]
    assert request_id in {attempt["request_id"] for attempt in of_it}
    newest = people.admin.get("/api/attempts?newest_first=true&limit=1&model=echo&certainty=exact").json()
    assert len(newest["items"]) == 1
    assert people.admin.get("/api/attempts?newest_first=true&limit=5000").json()["param"] == "limit"
    usage = people.admin.get("/api/usage?by=model&by=day").json()["rows"]
    assert any(row["model"] == "echo" and int(row["requests"]) >= 1 for row in usage)
    table = people.admin.get("/api/usage.csv?by=model&by=day")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert table.text.splitlines()[0].startswith("day,")
    assert len(table.text.splitlines()) == len(usage) + 1


def test_the_audit_log_is_exported_whole_so_that_its_chain_can_be_checked(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people.admin, "csrf", "")  # a link in a page, not a request of it
    answer = people.admin.get("/api/audit.jsonl")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.jsonl"'
    entries = [json.loads(line) for line in answer.text.splitlines()]
    assert [int(entry["number"]) for entry in entries] == list(range(1, len(entries) + 1))
    previous = "0" * 64
    for entry in entries:
        milliseconds = round(datetime.fromisoformat(entry["at"]).timestamp() * 1000)
        row = entry | {name: int(entry[name]) for name in ("number", "repeated")} | {"at": milliseconds}
        kept = {name: value for name, value in row.items() if name != "hash"}
        canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert (entry["previous"], entry["hash"]) == (previous, hashlib.sha256(canonical.encode()).hexdigest())
        previous = entry["hash"]


def test_an_export_of_the_audit_log_has_the_rights_and_filters_of_the_list_and_no_formulas(people: People) -> None:
    refused = people.visitor("acme-admin").get("/api/users/=1%2B1")
    assert refused.status_code == 404
    people.admin.call("PUT", "/api/secrets/llm/=cmd/api_key", {"value": "x"})
    table = people.admin.get("/api/audit.csv?action=Secrets/Put")
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert {row["action"] for row in rows} == {"Secrets/Put"}
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    own = people.organizations["acme"]
    seen = [json.loads(line) for line in people.visitor("acme-admin").get("/api/audit.jsonl").text.splitlines()]
    assert {entry["organization_id"] for entry in seen} == {own}
    foreign = f"/api/audit.csv?organization={people.organizations['globex']}"
    assert people.visitor("acme-admin").get(foreign).status_code == 403
    assert people.visitor("acme-developer").get("/api/audit.csv").status_code == 403
    assert people.admin.get("/api/audit.csv?nobody=1").status_code == 400


def test_the_playground_passes_a_stream_on_as_it_comes(people: People) -> None:
    visitor = people.visitor("acme-developer", "user-dashboard")
    key = visitor.made("/api/keys", {"name": "playground"})["secret"]
    asked = {"model": "echo", "messages": [{"role": "user", "content": "one two three"}], "stream": True}
    path = "/api/playground/chat/completions"
    streamed = visitor.post(path, asked, x_playground_key=key)
    assert (streamed.status_code, streamed.headers["content-type"]) == (200, "text/event-stream")
    assert streamed.text.rstrip().endswith("data: [DONE]")
    assert visitor.post(path, asked).status_code == 401
    wrong = visitor.post(path, asked, x_playground_key="sk-llm-none")
    assert (wrong.status_code, wrong.headers["x-error-fault"]) == (401, "caller")
    visitor.csrf = ""
    assert visitor.post(path, asked, x_playground_key=key).status_code == 403


def test_the_overview_says_how_services_and_providers_are(people: People) -> None:
    overview = people.admin.get("/api/overview").json()
    assert {each["name"]: each["state"] for each in overview["services"]}["billing"] == "ready"
    assert "echo" in {each["name"] for each in overview["providers"]}
    traffic = overview["traffic"]
    assert {each["replica"] for each in traffic["entries"]} >= {"tail-1"}
    assert (traffic["requests"] >= 0, traffic["silent"]) == (True, [])
    assert people.visitor("acme-owner").get("/api/overview").status_code == 403


@pytest.mark.parametrize("dashboard", ["admin-dashboard", "user-dashboard"])
def test_the_document_of_the_api_names_every_operation_that_is_served(people: People, dashboard: str) -> None:
    visitor = people.visitor("acme-owner", dashboard)
    document = visitor.get("/api/openapi.json").json()
    listed = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    allowed = {name.replace("...}", "}") for name in people.admin.get("/api/session").json()["allowed"]}
    if dashboard == "admin-dashboard":
        assert listed == allowed
    assert document["openapi"].startswith("3.1")
    assert visitor.get("/api/info").json()["service"] == dashboard
