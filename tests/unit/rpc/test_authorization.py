"""A peer's certificate held against the catalogue."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
import pytest

from llm_platform.core import catalog
from llm_platform.rpc.authorization import HEALTH_WATCH, AllowList, RefusedError

RESERVE = "/llm.v1.Ledger/Reserve"


@pytest.fixture(scope="module")
def allow_list() -> AllowList:
    return AllowList(catalog.load(), "billing", "prod.example")


def peer(*names: str) -> Mapping[str, list[bytes]]:
    return {"peer_spiffe_id": [name.encode() for name in names]}


def test_a_listed_caller_is_admitted_by_name(allow_list: AllowList) -> None:
    assert allow_list.admit(RESERVE, peer("spiffe://prod.example/head")) == "head"


def test_every_identity_may_ask_for_health(allow_list: AllowList) -> None:
    for identity in catalog.load().identities:
        assert allow_list.admit(HEALTH_WATCH, peer(f"spiffe://prod.example/{identity}")) == identity
    with pytest.raises(RefusedError):
        allow_list.admit(HEALTH_WATCH, peer("spiffe://prod.example/stranger"))


@pytest.mark.parametrize(
    ("method", "certificate", "status", "caller", "reason"),
    [
        (RESERVE, {}, "UNAUTHENTICATED", "none", "exactly one SPIFFE URI name; its URI names: none"),
        (RESERVE, {"peer_uri": [b"https://x"]}, "UNAUTHENTICATED", "none", "its URI names: https://x"),
        (
            RESERVE,
            peer("spiffe://prod.example/head", "spiffe://prod.example/operator"),
            "UNAUTHENTICATED",
            "none",
            "exactly one",
        ),
        (RESERVE, peer("spiffe://staging.example/head"), "UNAUTHENTICATED", "foreign", "another trust domain"),
        (RESERVE, peer("spiffe://prod.example.evil/head"), "UNAUTHENTICATED", "foreign", "another trust domain"),
        (RESERVE, peer("spiffe://prod.example/ns/head"), "PERMISSION_DENIED", "unknown", "neither a service nor"),
        (RESERVE, peer("spiffe://prod.example/"), "PERMISSION_DENIED", "unknown", "neither a service nor"),
        (RESERVE, peer("spiffe://prod.example/\xff"), "PERMISSION_DENIED", "unknown", "neither a service nor"),
        (RESERVE, peer("spiffe://prod.example/tail"), "PERMISSION_DENIED", "tail", "tail may not call"),
        (
            "/llm.v1.Ledger/Steal",
            peer("spiffe://prod.example/head"),
            "PERMISSION_DENIED",
            "head",
            "not in the catalogue's allow list of billing",
        ),
        ("/other.Ledger/Reserve", peer("spiffe://prod.example/head"), "PERMISSION_DENIED", "head", "allow list"),
    ],
)
def test_everyone_else_is_refused_with_the_reason(
    allow_list: AllowList, method: str, certificate: Mapping[str, list[bytes]], status: str, caller: str, reason: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        allow_list.admit(method, certificate)
    assert caught.value.status is grpc.StatusCode[status]
    assert caught.value.caller == caller
    assert reason in caught.value.reason


def test_without_mtls_methods_are_checked_and_callers_have_no_names() -> None:
    allow_list = AllowList(catalog.load(), "billing", None)
    assert allow_list.admit(RESERVE, {}) is None
    with pytest.raises(RefusedError):
        allow_list.admit("/llm.v1.Ledger/Steal", {})
