"""Every interface held against the descriptor of its gRPC service."""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_platform.core import catalog
from llm_platform.core.catalog.roles import ANYONE
from llm_platform.rpc.handlers import Rpc, python_name, rpcs
from llm_platform.rpc.peer import peer_name
from llm_platform.rpc.port import Port
from llm_platform.rpc.ports import PORTS, offered_methods

by_interface = pytest.mark.parametrize("port", PORTS, ids=lambda port: port.interface.__name__)


def own_methods(interface: type[Any]) -> dict[str, Any]:
    return {name: value for name, value in vars(interface).items() if inspect.isfunction(value) and name[0] != "_"}


@by_interface
def test_an_interface_has_the_methods_of_its_service_and_no_others(port: Port[Any]) -> None:
    assert set(own_methods(port.interface)) == {rpc.attribute for rpc in rpcs(port)}


@by_interface
def test_a_method_takes_and_gives_the_messages_of_its_rpc(port: Port[Any]) -> None:
    for rpc in rpcs(port):
        method = own_methods(port.interface)[rpc.attribute]
        hints = typing.get_type_hints(method)
        parameters = list(inspect.signature(method).parameters)
        assert len(parameters) == 2, rpc.path
        assert hints[parameters[1]] is rpc.request, rpc.path
        if rpc.streams:
            assert not inspect.iscoroutinefunction(method), rpc.path
            assert hints["return"] == AsyncIterator[rpc.reply], rpc.path  # type: ignore[name-defined]
        else:
            assert inspect.iscoroutinefunction(method), rpc.path
            assert hints["return"] is rpc.reply, rpc.path


@by_interface
def test_a_port_is_provided_on_a_port_of_the_catalogue(port: Port[Any]) -> None:
    assert port.listener in catalog.load().service(port.provider).ports
    assert peer_name(port).partition("/")[0] == port.provider


def test_offered_methods_name_the_relay_at_both_its_ends() -> None:
    offered = offered_methods()
    assert "Relay/Connect" in offered["head"] & offered["model-proxy"]
    assert offered["rate-limiter"] == {"Limiter/Acquire", "Limiter/Finish"}


def test_what_the_audit_log_says_a_call_is_about_is_a_field_of_its_request() -> None:
    requests = {rpc.path.removeprefix("/llm.v1."): rpc.request for port in PORTS for rpc in rpcs(port)}
    for service in catalog.load().services.values():
        for method, path in service.audit.items():
            message: Any = requests[method].DESCRIPTOR
            for field in filter(None, path.split(".")):
                assert field in message.fields_by_name, method
                message = message.fields_by_name[field].message_type
            assert message is None or not path, f"{method}: {path} is not a text or a number"


def test_whatever_people_change_is_audited_of_auth_service_what_is_refused() -> None:
    reading = {rpc.path.removeprefix("/llm.v1.") for port in PORTS for rpc in rpcs(port) if _changes_nothing(port, rpc)}
    for name, service in catalog.load().services.items():
        theirs = {method for method, roles in service.roles.items() if ANYONE not in roles}
        assert not theirs - reading - service.audit.keys(), name


def _changes_nothing(port: Port[Any], rpc: Rpc) -> bool:
    method = port.service.methods_by_name[rpc.path.rpartition("/")[2]]
    return bool(rpc.streams or method.GetOptions().idempotency_level == 1)


def test_what_changes_money_or_secrets_twice_is_never_repeated() -> None:
    repeatable = {rpc.path.removeprefix("/llm.v1.") for port in PORTS for rpc in rpcs(port) if rpc.repeatable}
    assert {"Ledger/Reserve", "Ledger/Record", "Accounts/Authenticate"} <= repeatable
    assert not repeatable & {"Accounts/CreateKey", "Accounts/Bootstrap", "Secrets/Put", "Limiter/Acquire"}


def test_names_are_in_snake_case() -> None:
    assert [python_name(name) for name in ("Get", "ListBudgets")] == ["get", "list_budgets"]
