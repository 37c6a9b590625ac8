"""Definitions reach every replica of model-proxy, and nobody is sent where they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.head.app import Head
from llm_platform.head.store import in_force
from llm_platform.proto import common_pb2, providers_pb2, routing_pb2
from llm_platform.proto.routing_pb2 import PutRulesRequest
from llm_platform.proto.rules_pb2 import ProviderDefinition, ProviderModel, RoutingDocument
from tests.unit.head.parts import ProviderStates, Proxy, RecordingLedger, Replica, call, opened

FILE = Config.model_validate({"providers": {"old": {"type": "echo", "models": ["m"], "priority": 1}}})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_force, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(in_force, "UNUSED_LOOK_SECONDS", 0.02)


@asynccontextmanager
async def head_over(**replicas: ProviderStates) -> AsyncIterator[Head]:
    async with opened(FILE, Proxy(), RecordingLedger(), ProviderStates(), replicas=replicas) as head:
        yield head


def document(*names: str) -> RoutingDocument:
    definitions = [
        ProviderDefinition(name=name, type="echo", models=[ProviderModel(name="m")], priority=at)
        for at, name in enumerate(names)
    ]
    return RoutingDocument(providers=definitions)


async def put(head: Head, etag: str, *names: str) -> None:
    await head.routing.put_rules(PutRulesRequest(document=document(*names), etag=etag))


async def decided(head: Head) -> str:
    return (await head.routing.decide(routing_pb2.DecideRequest(model="m"))).primary.provider


async def eventually(condition: object) -> None:
    async with asyncio.timeout(15):
        while not condition():  # type: ignore[operator]  # noqa: ASYNC110 - a task changes it
            await asyncio.sleep(0.01)


async def test_a_change_is_at_every_replica_before_it_is_answered() -> None:
    one, other = Replica("old"), Replica("old")
    async with head_over(one=one, other=other) as head:
        await put(head, "0", "new", "old")
        assert (one.taken, other.taken) == ([2], [2])
        assert await decided(head) == "new"
        assert head.rules.problem() is None


async def test_a_provider_that_a_replica_does_not_have_is_not_chosen_until_it_does() -> None:
    one, other = Replica("old"), Replica("old")
    other.refuses = PlatformError(Code.INVALID_REQUEST, "not now")
    async with head_over(one=one, other=other) as head:
        await put(head, "0", "new", "old")
        assert await decided(head) == "old"
        assert head.rules.problem() == "model-proxy at other does not take the definitions: not now"
        explained = await head.routing.decide(routing_pb2.DecideRequest(model="m", explain=True))
        assert {each.provider: each.outcome for each in explained.explanation} == {"old": "chosen", "new": "left_out"}
        other.refuses = None
        await eventually(lambda: head.rules.problem() is None)
        await eventually(lambda: other.taken == [2])
        assert await decided(head) == "new"


async def test_a_replica_of_the_release_before_stays_on_its_file_and_is_told_of() -> None:
    before = ProviderStates(providers_pb2.ProviderHealth(name="old", state="healthy", enabled=True))
    async with head_over(before=before) as head:
        assert head.rules.problem() is None
        await put(head, "0", "new", "old")
        assert await decided(head) == "old"
        assert "of a release that takes no definitions" in (head.rules.problem() or "")


async def test_replicas_that_cannot_be_reached_hold_nobody_up() -> None:
    away = ProviderStates()
    away.error = PlatformError(Code.UNAVAILABLE, "away")
    async with head_over(here=Replica("old"), away=away) as head:
        await put(head, "0", "new")
        assert await decided(head) == "new"
        assert head.rules.problem() is None
        (listed,) = (await head.routing.rules(common_pb2.Empty())).replicas
        assert (listed.address, listed.number, listed.problem) == ("here", 2, "")


async def test_a_replica_that_starts_with_others_is_given_those_in_force() -> None:
    replica = Replica("old")
    async with head_over(one=replica) as head:
        await put(head, "0", "new")
        for applied in (providers_pb2.Applied(), providers_pb2.Applied(number=7, digest="of another store")):
            replica.applied.CopyFrom(applied)
            await eventually(lambda: replica.applied.number == 2)


async def test_without_anything_stored_a_replica_goes_back_to_its_file() -> None:
    replica = Replica("old")
    replica.applied.CopyFrom(providers_pb2.Applied(number=7, digest="of a store that is gone"))
    async with head_over(one=replica):
        await eventually(lambda: replica.applied == providers_pb2.Applied())


async def test_billing_is_told_what_a_provider_is_that_its_file_does_not_know() -> None:
    proxy, ledger = Proxy(), RecordingLedger()
    async with opened(FILE, proxy, ledger, ProviderStates(), replicas={"one": Replica("old")}) as head:
        await put(head, "0", "new", "old")
        await head.inference.open(call(), b"{}")
        assert (proxy.calls[-1].route.provider_api, ledger.reserved[-1].provider_api) == ("echo", "echo")
        await put(head, "2", "old")
        await head.inference.open(call(), b"{}")
        assert (proxy.calls[-1].route.provider, ledger.reserved[-1].provider_api) == ("old", "")
