"""Rules and providers are changed at the dashboard, and every process follows without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from llm_platform.core import catalog
from tests.fleet import Fleet
from tests.integration.conftest import PAGE, eventually
from tests.integration.dashboards.visitor import Visitor
from tests.servers.postgresql import PostgresqlServer
from tests.simulator import Simulator, running

SERVICES = [name for name in catalog.load().services if name not in ("gateway", "user-dashboard")]
MODELS = [{"name": "fast", "upstream": "gpt-test"}]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with PostgresqlServer() as server:
        yield server


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with running() as simulator:
        simulator.behave("gpt-test")
        yield simulator


class Site:
    def __init__(self, fleet: Fleet, simulator: Simulator) -> None:
        self.fleet = fleet
        self.simulator = simulator
        password = fleet.command("bootstrap")["password"]
        self.key = fleet.create_key()
        self.admin = Visitor(fleet.url("admin-dashboard-1"))
        self.admin.sign_in("admin", password)

    def definition(self, **changes: Any) -> dict[str, Any]:
        return {"name": "sim", "type": "openai", "base_url": self.simulator.url, "models": MODELS, **changes}

    def put(self, *definitions: dict[str, Any], etag: str = "", **document: Any) -> dict[str, Any]:
        etag = etag or self.admin.get("/api/routing").headers["etag"]
        body = {"document": {"providers": list(definitions), **document}, "note": "a test"}
        reply = self.admin.call("PUT", "/api/routing", body, if_match=etag)
        assert reply.status_code == 200, reply.text
        made: dict[str, Any] = reply.json()
        return made

    def call(self, model: str) -> requests.Response:
        return requests.post(
            f"{self.fleet.url('tail-1')}/v1/chat/completions",
            headers={"authorization": f"Bearer {self.key}"},
            json={"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8},
            timeout=30,
        )

    def answered(self, model: str, times: int = 6) -> bool:
        """Both heads are asked in turn."""
        return all(self.call(model).status_code == 200 for _ in range(times))

    def tested(self, definition: dict[str, Any] | None = None) -> dict[str, Any]:
        reply = self.admin.post("/api/providers/sim:test", {"definition": definition} if definition else {})
        assert reply.status_code == 200, reply.text
        report: dict[str, Any] = reply.json()
        return report


ECHO = {"name": "echo", "type": "echo", "models": [{"name": "echo"}]}


async def test_providers_come_change_and_go_without_a_restart(
    tmp_path: Path, server: PostgresqlServer, simulator: Simulator
) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text(PAGE)
    settings = {
        "stores": {"routing_url": server.make_database()},
        "billing": {"unknown_price": "free"},
        "providers": {"echo": {"type": "echo", "models": ["echo"]}},
    }
    fleet = Fleet(
        tmp_path,
        settings=settings,
        services=SERVICES,
        replicas={"head": 2, "model-proxy": 2},
        pages=tmp_path / "pages",
    )
    async with fleet:
        await asyncio.to_thread(_scenario, fleet, server, simulator)


def _scenario(fleet: Fleet, server: PostgresqlServer, simulator: Simulator) -> None:
    site = Site(fleet, simulator)
    assert site.call("echo").status_code == 200
    assert site.call("fast").status_code == 404
    connections_are_tried_before_anything_is_saved(site)
    a_new_provider_is_served_by_all(site)
    what_may_not_be_is_refused(site)
    restarts_of_model_proxy_go_on_with_it(site)
    heads_start_while_the_database_is_away(site, server)
    a_disabled_providers_model_is_anothers(site)
    changes_are_undone_and_audited(site)


def connections_are_tried_before_anything_is_saved(site: Site) -> None:
    report = site.tested(site.definition())
    assert (report["ok"], report["status"]) == (False, 401)
    site.fleet.command("secrets", "set", "llm/sim/api_key", stdin=site.simulator.key)
    report = site.tested(site.definition())
    assert (report["ok"], report["status"], report["models"]) == (True, 200, ["gpt-test"])
    report = site.tested(site.definition(base_url=site.simulator.url + "/wrong"))
    assert (report["ok"], report["status"]) == (False, 404)
    report = site.tested(site.definition(base_url="http://127.0.0.1:9/v1"))
    assert (report["ok"], report["status"]) == (False, 0)
    assert "cannot be reached" in report["detail"]


def a_new_provider_is_served_by_all(site: Site) -> None:
    made = site.put(ECHO, site.definition())
    assert (made["number"], made["etag"], made["actor"]) == (2, "2", "admin")
    eventually(lambda: site.answered("fast"), "both heads serve the new provider")
    rules = site.admin.get("/api/routing").json()
    assert [each["number"] for each in rules["replicas"]] == [2, 2]
    assert site.tested()["ok"]


def what_may_not_be_is_refused(site: Site) -> None:
    body = {"document": {"providers": [ECHO]}}
    stale = site.admin.call("PUT", "/api/routing", body, if_match='"1"')
    assert (stale.status_code, stale.json()["param"]) == (412, "etag")
    assert site.admin.call("PUT", "/api/routing", body).status_code == 428
    secret = {"document": {"providers": [{**ECHO, "api_key": "sk-literal"}]}}
    assert site.admin.call("PUT", "/api/routing", secret, if_match='"2"').status_code == 400


def restarts_of_model_proxy_go_on_with_it(site: Site) -> None:
    replicas = site.fleet.replicas("model-proxy")
    for replica in replicas:
        replica.kill()
    for replica in replicas:
        replica.start()
    for replica in replicas:
        replica.wait_ready()
    eventually(lambda: site.answered("fast"), "restarted replicas of model-proxy serve it still", seconds=30)


def heads_start_while_the_database_is_away(site: Site, server: PostgresqlServer) -> None:
    """What is known stays in force, and nothing can be changed."""
    server.stop()
    heads = site.fleet.replicas("head")
    for head in heads:
        head.kill()
        head.start()
    for head in heads:
        head.wait_ready()
    eventually(lambda: site.answered("fast"), "restarted heads serve it still", seconds=30)
    refused = site.admin.call("PUT", "/api/routing", {"document": {"providers": [ECHO]}}, if_match='"2"')
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    ready = dependencies(site)
    assert (ready["status"], ready["dependencies"]["routing rules"]["state"]) == ("degraded", "down")
    server.start()
    eventually(lambda: "down" not in str(dependencies(site)), "head has its database again", seconds=30)


def dependencies(site: Site) -> dict[str, Any]:
    report: dict[str, Any] = requests.get(f"{site.fleet.url('head-1')}/health/ready", timeout=10).json()
    return report


def a_disabled_providers_model_is_anothers(site: Site) -> None:
    """Without a failed call."""
    other = {**ECHO, "models": [{"name": "echo"}, {"name": "fast", "upstream": "echo"}]}
    site.put(other, site.definition(enabled=False))
    assert site.answered("fast", times=20)
    eventually(lambda: "x-provider-request-id" not in site.call("fast").headers, "echo answers")


def changes_are_undone_and_audited(site: Site) -> None:
    undone = site.admin.call("POST", "/api/routing/revisions/2:restore", {}, if_match='"3"').json()
    assert (undone["number"], undone["source"], undone["restored"]) == (4, "restore", 2)
    taken = site.admin.call("POST", "/api/routing:import", {}, if_match='"4"').json()
    assert (taken["number"], taken["source"]) == (5, "file")
    eventually(lambda: site.call("fast").status_code == 404, "the provider is gone")
    listed = site.admin.get("/api/routing/revisions").json()["items"]
    assert [each["number"] for each in listed] == [5, 4, 3, 2, 1]
    assert site.fleet.command("routing", "revisions")[0]["number"] == 5
    changes = {"Routing/PutRules", "Routing/RestoreRevision", "Routing/ImportRules", "Providers/Test"}

    def audited() -> bool:
        entries = site.admin.get("/api/audit?page_size=100").json()["items"]
        return changes <= {entry["action"] for entry in entries if entry["result"] == "ok"}

    eventually(audited, "the audit log has all of them")
