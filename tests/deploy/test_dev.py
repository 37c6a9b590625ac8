"""``./deploy.sh dev``, from nothing, on this machine: needs root. The tests build on each other, in order."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.browser import Browser
from tests.deploy.collector import Collector
from tests.deploy.traffic import OPEN_STREAMS, Target, Traffic, entry

ROOT = Path(__file__).parents[2]
URLS = ["http://127.0.0.1:8000", "http://127.0.0.1:8080"]
ADMIN, USER = "http://127.0.0.1:3001", "http://127.0.0.1:3000"
COLLECTOR = ("172.30.3.1", 4318)  # this machine on llm-network
TRACED = {"telemetry": {"enabled": True, "endpoint": "http://{}:{}".format(*COLLECTOR), "sample_ratio": 0.0}}
SERVICES = (
    *("secrets-service", "auth-service", "billing", "rate-limiter"),
    *("model-proxy", "head", "tail", "gateway"),
    *("admin-dashboard", "user-dashboard"),
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="deploying to this machine needs root")


def deploy(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["./deploy.sh", "dev", *words], cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False
    )
    print(done.stdout, done.stderr)
    if check:
        assert done.returncode == 0, f"deploy.sh dev {' '.join(words)}: exit {done.returncode}"
    return done


def settings(**sections: Any) -> list[str]:
    """Options that change the services' configuration, so that replicas are replaced."""
    return ["--", "-e", json.dumps({"platform_settings": sections})]


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout


def containers() -> dict[str, str]:
    """Name -> id of every container of the platform that runs."""
    lines = docker("ps", "--no-trunc", "--filter", "label=llm-platform", "--format", "{{.Names}} {{.ID}}").split("\n")
    return dict(line.split(" ") for line in lines if line)


@pytest.fixture(scope="module")
def first_deploy() -> Iterator[str]:
    """What the first deploy printed. Afterwards nothing is left."""
    deploy("destroy", "--yes")
    yield deploy("deploy").stdout
    deploy("destroy", "--yes")
    assert containers() == {}


@pytest.fixture(scope="module")
def key(first_deploy: str) -> str:
    return re.search(r"first API key\s+(\S+)", first_deploy)[1]  # type: ignore[index] # a failure is the test's


@pytest.fixture(scope="module")
def administrator(first_deploy: str) -> Browser:
    password = re.search(r"password\s+(\S+)", first_deploy)[1]  # type: ignore[index] # a failure is the test's
    return Browser(ADMIN, "admin", password)


@pytest.fixture
def traffic(key: str, administrator: Browser) -> Traffic:
    """Through both entries, and through the playground of somebody who signed in."""
    playground = Target(f"{USER}/api/playground/chat/completions", {**administrator.headers, "x-playground-key": key})
    return Traffic([*(entry(url, key) for url in URLS), playground])


def test_the_first_deploy_serves_both_flows_and_hands_over_the_first_access(first_deploy: str, key: str) -> None:
    assert set(containers()) == {f"{service}-1" for service in SERVICES} | {"haproxy"}
    assert key.startswith("sk-llm-")
    assert re.search(r"password\s+\S{16,}", first_deploy)
    command = next(part for part in first_deploy.split("\n\n") if "curl " in part)
    curl = re.search(r"curl .*", command, re.DOTALL)[0]  # type: ignore[index]
    for port in ("8000", "8080"):
        answer = subprocess.run(
            ["bash", "-c", curl.replace(":8000", f":{port}")], capture_output=True, text=True, check=True
        )
        assert json.loads(answer.stdout)["choices"][0]["message"]["content"] == "Hello"


def test_the_dashboards_show_their_pages(first_deploy: str) -> None:
    for address in (ADMIN, USER):
        assert address in first_deploy
        with urllib.request.urlopen(address) as page:
            text = page.read().decode()
        scripts = re.findall(r'src="(/assets/[^"]+\.js)"', text)
        assert scripts
        for script in scripts:
            with urllib.request.urlopen(address + script) as asset:
                assert "javascript" in asset.headers["content-type"]
    with urllib.request.urlopen(f"{USER}/admin") as page:
        assert page.url == f"{ADMIN}/"


def test_the_administrator_signs_in_and_sees_keys_and_services(administrator: Browser) -> None:
    assert administrator.session["role"] == "owner"
    keys = administrator.call("GET", "/api/keys")["items"]
    assert "verification" in {each["name"] for each in keys}
    # Through HAProxy, whose own address it is not
    (session,) = administrator.call("GET", "/api/sessions")["items"]
    assert session["origin"]["address"] == "127.0.0.1"
    services = administrator.call("GET", "/api/overview")["services"]
    assert {each["name"]: each["state"] for each in services} == {
        name: "ready" for name in SERVICES if not name.endswith("-dashboard") and name != "rate-limiter"
    }


@pytest.mark.case(34)
def test_a_second_deploy_changes_nothing(first_deploy: str) -> None:
    before = containers()
    done = deploy("deploy")
    assert "nothing changed" in done.stdout.lower()
    assert containers() == before


def test_the_containers_are_confined(first_deploy: str) -> None:
    for name in containers():
        host = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", name))
        user = docker("inspect", "--format", "{{.Config.User}}", name).strip()
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert user not in ("", "0", "root"), name


def in_image(script: str) -> str:
    """What a shell prints in a container of the platform's image, as root and without a network."""
    image = docker("inspect", "--format", "{{.Image}}", "tail-1").strip()
    return docker("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "/bin/sh", image, "-c", script)


def certificates(text: str) -> set[str]:
    return set(re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL))


def test_the_image_holds_no_compiler_and_no_trace_of_the_build(first_deploy: str) -> None:
    assert in_image("command -v gcc g++ cc c++ clang ld make pip pip3 uv apt-key curl node npm || true") == ""
    for python in ("/usr/bin/python3", "/opt/llm-platform/bin/python"):
        found = "import importlib.util; print(importlib.util.find_spec('pip'), importlib.util.find_spec('ensurepip'))"
        assert in_image(f'{python} -c "{found}"') == "None None\n"
    names = ("pip*.conf", ".npmrc", "node_modules", "90build")
    paths = ("/run/secrets/*", "*/.cache/*")
    left = " -o ".join([*(f"-iname '{name}'" for name in names), *(f"-path '{path}'" for path in paths)])
    assert in_image(rf"find / -xdev \( {left} \)") == ""


def test_the_image_trusts_whom_debian_trusts_and_nobody_else(first_deploy: str) -> None:
    """The build is given this machine's bundle of authorities, which may hold its owner's own."""
    trusted = certificates(in_image("cat /etc/ssl/certs/ca-certificates.crt"))
    assert trusted == certificates(in_image("cat /usr/share/ca-certificates/mozilla/*.crt"))
    assert len(trusted) > 100
    assert in_image("dpkg --verify ca-certificates | grep -v /usr/share/doc/ || true") == ""
    here = "".join(file.read_text() for file in Path("/usr/share/ca-certificates").rglob("*.crt"))
    own = certificates(Path("/etc/ssl/certs/ca-certificates.crt").read_text()) - certificates(here)
    everywhere = "grep -rlI 'BEGIN CERTIFICATE' / --exclude-dir=proc --exclude-dir=sys | xargs cat"
    assert not own & certificates(in_image(everywhere))


def test_status_says_what_runs(first_deploy: str) -> None:
    rows = json.loads(deploy("status", "--format", "json").stdout)
    replicas = {row["replica"]: row for row in rows}
    assert {f"{service}-1" for service in SERVICES} | {"haproxy"} <= set(replicas)
    assert all(row["healthy"] for row in rows), rows


def test_plan_says_what_would_change_and_changes_nothing(first_deploy: str) -> None:
    before = containers()
    done = deploy("plan", *settings(logging={"level": "debug"}))
    assert "tail-1" in done.stdout
    assert containers() == before


def test_verify_passes(first_deploy: str) -> None:
    deploy("verify")


@pytest.mark.case(29)
async def test_updates_under_load_lose_no_request_and_cut_no_stream(traffic: Traffic) -> None:
    running = asyncio.create_task(traffic.run())
    try:
        for changed in ({"logging": {"level": "debug"}}, {"logging": {"level": "info"}}, TRACED):
            before = containers()
            await asyncio.to_thread(deploy, "update", *settings(**changed))
            assert traffic.open_streams == OPEN_STREAMS
            after = containers()
            assert {name for name in before if before[name] != after.get(name)} >= {f"{one}-1" for one in SERVICES}
    finally:
        traffic.stop()
        await running
    print(f"answered {traffic.answered}, streamed {traffic.streamed}, failed {traffic.failed}, cut {traffic.cut}")
    assert traffic.failed == []
    assert traffic.cut == []
    assert traffic.answered > 1000
    assert traffic.streamed > OPEN_STREAMS


@pytest.mark.parametrize(("entry", "url"), [("tail", URLS[0]), ("gateway", URLS[1])])
def test_a_sampled_request_is_one_trace_through_the_containers(key: str, entry: str, url: str) -> None:
    """With what the last update set: traces are the caller's choice."""
    trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
    with Collector(*COLLECTOR) as collector:
        request = urllib.request.Request(
            f"{url}/v1/chat/completions",
            json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}).encode(),
            {
                "authorization": f"Bearer {key}",
                "content-type": "application/json",
                "traceparent": f"00-{trace_id}-{caller}-01",
            },
        )
        urllib.request.urlopen(request).close()
        deadline = time.monotonic() + 30
        hops = {f"{service}-1" for service in (entry, "head", "billing", "model-proxy")}
        while not hops <= (spans := {span.replica: span for span in collector.trace(trace_id)}).keys():
            assert time.monotonic() < deadline, f"only {spans}"
            time.sleep(0.1)
    assert spans[f"{entry}-1"].parent_id == caller
    assert spans["head-1"].parent_id == spans[f"{entry}-1"].span_id
    assert spans["billing-1"].parent_id == spans["head-1"].span_id
    assert spans["model-proxy-1"].parent_id == spans["head-1"].span_id
    assert spans["model-proxy-1"].name == "chat echo", "the call of the provider"


@pytest.mark.case(29)
async def test_the_same_traffic_notices_a_replica_that_is_killed_instead_of_drained(traffic: Traffic) -> None:
    running = asyncio.create_task(traffic.run())
    await asyncio.sleep(3)
    docker("restart", "--time", "0", "tail-1")
    await asyncio.sleep(5)
    traffic.stop()
    await running
    assert traffic.cut


@pytest.mark.case(33)
async def test_a_release_that_is_broken_does_not_replace_the_one_that_serves(traffic: Traffic) -> None:
    before = containers()
    running = asyncio.create_task(traffic.run())
    done = await asyncio.to_thread(deploy, "update", *settings(traffic={"max_body_bytes": -1}), check=False)
    traffic.stop()
    await running
    assert done.returncode != 0
    assert "max_body_bytes" in done.stdout + done.stderr
    assert containers() == before
    assert (traffic.failed, traffic.cut) == ([], [])
