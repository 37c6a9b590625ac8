"""The catalogue: what it computes, and what it refuses with the place and the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_platform.core.catalog import DEFAULT_PATH, GENERATIONS, Catalog, load, parse
from llm_platform.core.catalog.page import page
from llm_platform.core.catalog.source import CatalogError
from llm_platform.rpc.ports import offered_methods

# CONTRACTS: these are fixed, users' scripts depend on them.
CONTRACT_PORTS = {
    "tail": {"http": 8000},
    "gateway": {"http": 8080},
    "head": {"grpc": 50055, "http": 9001},
    "model-proxy": {"grpc": 50061, "control": 50062, "http": 8100},
    "rate-limiter": {"grpc": 50051, "http": 9051},
    "secrets-service": {"grpc": 50052, "http": 9052},
    "auth-service": {"grpc": 50053, "http": 9053},
    "billing": {"grpc": 50054, "http": 9054},
    "admin-dashboard": {"http": 3001},
    "user-dashboard": {"http": 3000},
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def changed(path: str, value: Any) -> str:
    """The real catalogue as text, with the entry at the dotted ``path`` set to ``value``."""
    content = yaml.safe_load(DEFAULT_PATH.read_text())
    *parents, last = path.split(".")
    entry = content
    for parent in parents:
        entry = entry[parent]
    entry[last] = value
    return yaml.safe_dump(content, sort_keys=False)


def problems(text: str) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_the_catalogue_keeps_the_contracts_ports(catalog: Catalog) -> None:
    assert {name: dict(service.ports) for name, service in catalog.services.items()} == CONTRACT_PORTS


def test_the_catalogue_keeps_the_contracts_resources(catalog: Catalog) -> None:
    given = {name: (each.resources.cpus, each.resources.memory_mb) for name, each in catalog.services.items()}
    own = {"model-proxy": (2, 4096), "head": (1, 2048), "tail": (1, 2048)}
    assert given == {name: own.get(name, (0.5, 1024)) for name in catalog.services}


def test_waves_start_a_service_after_everything_it_needs(catalog: Catalog) -> None:
    waves = catalog.waves()
    assert waves == [
        ["secrets-service", "auth-service", "billing", "rate-limiter"],
        ["model-proxy"],
        ["head"],
        ["tail", "gateway"],
        ["admin-dashboard", "user-dashboard"],
    ]
    wave_of = {name: number for number, wave in enumerate(waves) for name in wave}
    for name, service in catalog.services.items():
        assert all(wave_of[needed] < wave_of[name] for needed in service.needs)


def test_only_listed_callers_are_allowed(catalog: Catalog) -> None:
    assert catalog.allowed_callers("billing", "Ledger/Reserve") == {"head"}
    assert catalog.allowed_callers("billing", "Ledger/Unheard") == frozenset()
    assert catalog.allow_list("rate-limiter") == {
        "Limiter/Acquire": {"tail", "gateway", "head"},
        "Limiter/Finish": {"tail", "gateway", "head"},
    }


def test_callees_are_the_services_that_list_the_caller(catalog: Catalog) -> None:
    assert catalog.callees("model-proxy") == ["secrets-service", "auth-service", "billing"]
    assert catalog.callees("tail") == ["auth-service", "rate-limiter", "head"]


def test_an_unknown_service_is_named_with_those_that_exist(catalog: Catalog) -> None:
    with pytest.raises(KeyError, match="no service 'haed' in the catalogue; there are secrets-service"):
        catalog.service("haed")


def test_no_two_slots_share_a_port_or_an_address(catalog: Catalog) -> None:
    ports: list[int] = []
    addresses: list[tuple[str, str]] = []
    for name, service in catalog.services.items():
        for replica in range(1, 9):
            for generation in GENERATIONS:
                ports += [catalog.slot_port(name, replica, generation, each) for each in service.slot_ports]
                addresses += [
                    (network, str(catalog.address(name, replica, generation, network))) for network in service.networks
                ]
    assert len(ports) == len(set(ports))
    assert len(addresses) == len(set(addresses))
    for network, address in addresses:
        host = int(address.rpartition(".")[2])
        assert address.startswith(str(catalog.networks[network].subnet)[:9])
        assert 16 <= host < 255


def test_both_generations_of_a_replica_have_neighbouring_ports(catalog: Catalog) -> None:
    assert catalog.slot_port("head", 1, "a") == 20500
    assert catalog.slot_port("head", 1, "b") == 20501
    assert catalog.slot_port("head", 2, "a") == 20502
    assert catalog.slot_port("model-proxy", 1, "b", "control") == 20451


def test_a_replica_beyond_the_slots_is_refused(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="slots for replicas 1 to 8"):
        catalog.slot_port("head", 9, "a")
    with pytest.raises(ValueError, match="addresses for replicas 1 to 8"):
        catalog.address("head", 0, "a", "llm-network")
    with pytest.raises(ValueError, match="not on client-network"):
        catalog.address("head", 1, "a", "client-network")


def test_endpoints_hold_every_slot_of_every_host(catalog: Catalog) -> None:
    assert catalog.endpoints("head", ["10.0.0.1", "10.0.0.2"], replicas=2) == [
        *("10.0.0.1:20500", "10.0.0.1:20501", "10.0.0.1:20502", "10.0.0.1:20503"),
        *("10.0.0.2:20500", "10.0.0.2:20501", "10.0.0.2:20502", "10.0.0.2:20503"),
    ]


def test_targets_are_one_a_replica_through_the_hosts_mtls_port(catalog: Catalog) -> None:
    targets = catalog.targets({"head": ["10.0.0.1"], "tail": []}, {"head": 2})
    assert targets == [
        {
            "targets": ["10.0.0.1:9443"],
            "labels": {
                "__metrics_path__": f"/head/{replica}/metrics",
                "service": "head",
                "replica": f"head-{replica}",
                "group": "head",
            },
        }
        for replica in (1, 2)
    ]


def test_the_page_of_ports_is_what_the_catalogue_says(catalog: Catalog) -> None:
    written = (DEFAULT_PATH.parents[1] / "docs" / "ports.md").read_text()
    assert written == page(catalog), "run: python -m llm_platform.core.catalog.page > docs/ports.md"


def test_every_rpc_method_has_an_allow_entry_and_no_entry_is_without_a_method(catalog: Catalog) -> None:
    catalog.check_methods(offered_methods())


def test_a_method_that_does_not_exist_is_refused_with_its_line() -> None:
    catalog = parse(changed("services.billing.allow.Ledger/Steal", ["head"]))
    with pytest.raises(CatalogError, match=r"catalog.yml:\d+: services.billing.allow.Ledger/Steal: no such method"):
        catalog.check_methods(offered_methods())


def test_a_method_without_an_allow_entry_is_refused() -> None:
    text = DEFAULT_PATH.read_text().replace("      Ledger/Record: [model-proxy]\n", "")
    with pytest.raises(CatalogError, match=r"services.billing.allow: Ledger/Record has no entry: name who may call"):
        parse(text).check_methods(offered_methods())


@pytest.mark.parametrize(
    ("path", "value", "place", "reason"),
    [
        ("services.head.needs", ["billling"], "services.head.needs.0", "unknown service 'billling'"),
        ("services.head.group", "heads", "services.head.group", "unknown group 'heads'; there are head, model-proxy"),
        ("services.head.networks", ["dmz"], "services.head.networks.0", "unknown network 'dmz'; there are client-net"),
        (
            "services.billing.allow.Ledger/Reserve",
            ["head", "haed"],
            "services.billing.allow.Ledger/Reserve.1",
            "caller 'haed' is neither a service nor in callers",
        ),
        (
            "callers",
            ["operator", "admin-dashboard", "user-dashboard", "head"],
            "callers.3",
            "head is a service already",
        ),
        ("services.gateway.ports.http", 8000, "services.gateway.ports.http", "port 8000 is taken by tail (ports.http)"),
        (
            "services.head.slot_ports.grpc",
            "20410-20425",
            "services.head.slot_ports.grpc",
            "port 20410 is taken by model-proxy (slot_ports.grpc)",
        ),
        ("services.tail.ports.http", 9443, "services.tail.ports.http", "port 9443 is taken by metrics_port"),
        ("services.head.slot", 4, "services.head.slot", "slot 4 is taken by model-proxy"),
        ("services.head.slot", 40, "services.head.slot", "slot 40 does not fit into server-network (172.30.2.0/24)"),
        ("services.head.replicas", 9, "services.head.slot_ports.grpc", "has slots for 8 replicas, not for 9"),
        ("services.head.slot_ports", {}, "services.head.ports.grpc", "a gRPC port needs slot_ports"),
        ("services.head.slot_ports", {"grpc": "50500-50515"}, "slot_ports.grpc", "lies in the range of outgoing"),
        ("services.head.slot_ports", {"grpc": "20500"}, "slot_ports.grpc", "is written FIRST-LAST"),
        ("services.head.slot_ports", {"grpc": "20515-20500"}, "slot_ports.grpc", "runs upwards within 1024-65535"),
        ("services.tail.slot_ports", {"grpc": "21000-21015"}, "services.tail.slot_ports.grpc", "there is no grpc in"),
        ("services.head.ports.grpc", 70000, "services.head.ports.grpc", "less than or equal to 65535"),
        ("services.head.resources.cpus", 0, "services.head.resources.cpus", "greater than 0"),
        ("services.head.colour", "red", "services.head.colour", "Extra inputs are not permitted"),
        ("services.head.slo", None, "services.head.slo", "valid dictionary or instance of Slo"),
        ("services.head.allow.reserve", [], "services.head.allow.reserve", "match pattern"),
        ("delegates", ["admin-dashboard", "kiosk"], "delegates.1", "'kiosk' is neither a service nor in callers"),
        (
            "services.billing.roles.Ledger/Usage",
            ["owner", "boss"],
            "services.billing.roles.Ledger/Usage.1",
            "unknown role 'boss'; there are anyone, owner, admin,",
        ),
        (
            "services.billing.roles.Ledger/Usage",
            ["platform/anyone"],
            "services.billing.roles.Ledger/Usage.0",
            "unknown role 'platform/anyone'",
        ),
        (
            "services.billing.roles.Ledger/Usage",
            ["anyone", "owner"],
            "services.billing.roles.Ledger/Usage",
            "anyone stands alone",
        ),
        (
            "services.billing.roles.Ledger/Steal",
            ["owner"],
            "services.billing.roles.Ledger/Steal",
            "Ledger/Steal is not in allow",
        ),
        (
            "services.billing.roles.Ledger/Reserve",
            ["owner"],
            "services.billing.roles.Ledger/Reserve",
            "nobody calls it on behalf of people",
        ),
        (
            "services.billing.allow.Ledger/Reserve",
            ["head", "user-dashboard"],
            "services.billing.allow.Ledger/Reserve",
            "user-dashboard may call it for people: name in roles which of them may",
        ),
    ],
)
def test_a_contradiction_is_refused_with_its_place_and_reason(path: str, value: Any, place: str, reason: str) -> None:
    found = problems(changed(path, value))
    assert any(place in problem and reason in problem for problem in found), found


def test_a_place_is_the_line_of_the_entry() -> None:
    text = DEFAULT_PATH.read_text().replace("group: head", "group: tails")
    line = next(number for number, each in enumerate(text.splitlines(), start=1) if "group: tails" in each)
    assert problems(text) == [
        f"catalog.yml:{line}: services.head.group: unknown group 'tails'; "
        "there are head, model-proxy, tail, ui, monitoring, data"
    ]


def test_a_cycle_is_refused_with_its_path() -> None:
    found = problems(changed("services.billing.needs", ["gateway"]))
    assert any("billing -> gateway -> head -> model-proxy -> billing" in problem for problem in found), found
    assert all("services.billing.needs" in problem for problem in found)


def test_a_service_that_needs_itself_is_a_cycle() -> None:
    assert "head -> head" in problems(changed("services.head.needs", ["head"]))[0]


def test_a_service_written_twice_is_refused() -> None:
    text = DEFAULT_PATH.read_text() + "\n  tail: {group: tail}\n"
    assert any("services.tail: stands here twice" in problem for problem in problems(text))


def test_all_problems_are_told_at_once() -> None:
    text = changed("services.head.group", "heads").replace("- billing\n", "- biling\n")
    assert len(problems(text)) >= 2


def test_what_is_not_yaml_is_refused_with_its_line() -> None:
    assert problems("services:\n  head: [\n")[0].startswith("catalog.yml:3")
    assert "valid dictionary" in problems("")[0]


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"nowhere\.yml: No such file"):
        load(tmp_path / "nowhere.yml")


def test_the_controller_can_import_it_with_pydantic_and_yaml_only() -> None:
    script = (
        "import sys; from llm_platform.core import catalog; catalog.load();"
        "print({'grpc', 'google.protobuf', 'cryptography', 'structlog', 'aiohttp'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(DEFAULT_PATH.parents[1] / "services")},
    )
    assert done.stdout.strip() == "set()"
