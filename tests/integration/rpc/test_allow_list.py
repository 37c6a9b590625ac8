"""Every (caller, method) pair of the catalogue, over real mTLS: allowed ones arrive, the others are refused; for a
delegate (a dashboard), which calls on behalf of people, every (role, method) pair as well.

The truth is read from the file itself, not through the code under test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, cast

import grpc
import grpc.aio
import pytest
import pytest_asyncio
import yaml
from google.protobuf.message_factory import GetMessageClass
from prometheus_client import REGISTRY

from llm_platform.core.actor import OPERATOR, ROLES, Actor, actor
from llm_platform.core.catalog import DEFAULT_PATH
from llm_platform.rpc.caller import caller
from llm_platform.rpc.client import open_channel
from llm_platform.rpc.handlers import rpcs
from llm_platform.rpc.ports import PORTS, RELAY, RELAYED_BY
from tests.integration.rpc.conftest import Issuer, Site, person

CATALOG = yaml.safe_load(DEFAULT_PATH.read_text())
CALLERS = [*CATALOG["services"], *CATALOG["callers"]]
METHODS = [(port.provider, rpc.path) for port in PORTS for rpc in rpcs(port)]
METHODS += [(provider, "/llm.v1.Relay/Connect") for provider in RELAYED_BY]
PAIRS = [(service, path, who) for service, path in METHODS for who in CALLERS]
PEOPLE = [person(role, platform=platform) for role in ROLES for platform in (False, True)]


def is_allowed(service: str, path: str, who: str) -> bool:
    return who in CATALOG["services"][service]["allow"][path.removeprefix("/llm.v1.")]


def roles(service: str, path: str) -> list[str]:
    return list(CATALOG["services"][service]["roles"][path.removeprefix("/llm.v1.")])


def may(rights: list[str], who: Actor) -> bool:
    return who.role in rights or (who.platform and f"platform/{who.role}" in rights) or rights == ["anyone"]


FOR_PEOPLE = [each for each in PAIRS if each[2] in CATALOG["delegates"] and is_allowed(*each)]


class Recorder(grpc.GenericRpcHandler):
    """Serves every method of every port and the relay, and notes who got through."""

    def __init__(self) -> None:
        self.arrived: list[tuple[str, str]] = []
        self.actors: list[Actor] = []

    def _note(self, path: str) -> None:
        self.arrived.append((caller.get(), path))
        self.actors.append(actor.get())

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        path = details.method
        if path == "/llm.v1.Relay/Connect":
            return grpc.stream_stream_rpc_method_handler(self._two_way(path))
        for port in PORTS:
            for rpc in rpcs(port):
                if rpc.path == path:
                    return (
                        grpc.unary_stream_rpc_method_handler(self._streaming(path))
                        if rpc.streams
                        else grpc.unary_unary_rpc_method_handler(self._unary(path))
                    )
        return None

    def _unary(self, path: str) -> Any:
        async def answer(_request: bytes, _context: Any) -> bytes:
            self._note(path)
            return b""

        return answer

    def _streaming(self, path: str) -> Any:
        async def answer(_request: bytes, _context: Any) -> AsyncIterator[bytes]:
            self._note(path)
            yield b""

        return answer

    def _two_way(self, path: str) -> Any:
        async def answer(_requests: Any, context: Any) -> None:
            await context.read()
            self._note(path)
            await context.write(b"")

        return answer


class World:
    """A server for each providing service, and a channel from every caller to each."""

    def __init__(self) -> None:
        self.recorders: dict[str, Recorder] = {}
        self.channels: dict[tuple[str, str], grpc.aio.Channel] = {}
        self.issuer = Issuer()

    async def call(self, service: str, path: str, who: str, token: str = "") -> grpc.StatusCode:
        """Makes the call and returns its status."""
        channel: Any = self.channels[service, who]
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        try:
            if path == "/llm.v1.Relay/Connect":
                two_way = channel.stream_stream(path)(timeout=10)
                await two_way.write(b"")
                await two_way.read()
                await two_way.done_writing()
                return cast("grpc.StatusCode", await two_way.code())
            if any(rpc.path == path and rpc.streams for port in PORTS for rpc in rpcs(port)):
                async for _ in channel.unary_stream(path)(b"", timeout=10, metadata=metadata):
                    pass
            else:
                await channel.unary_unary(path)(b"", timeout=10, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    site = Site(tmp_path_factory.mktemp("site"))
    world = World()
    async with AsyncExitStack() as stack:
        for service in sorted({service for service, _ in METHODS}):
            recorder = world.recorders[service] = Recorder()
            serving = await stack.enter_async_context(
                site.serving(service, extra_handlers=[recorder], keys=world.issuer)
            )
            for who in CALLERS:
                channel = open_channel(site.config(who), f"127.0.0.1:{serving.port}", service)
                world.channels[service, who] = await stack.enter_async_context(channel)
        yield world


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("service", "path", "who"), PAIRS)
async def test_a_method_is_open_to_the_callers_the_catalogue_names_and_to_nobody_else(
    world: World, service: str, path: str, who: str
) -> None:
    """A delegate sends the token of the platform's owner, unless not even that helps."""
    arrived = world.recorders[service].arrived
    arrived.clear()
    token = ""
    if who in CATALOG["delegates"] and is_allowed(service, path, who):
        token = next((world.issuer.token(each) for each in PEOPLE if may(roles(service, path), each)), "")
    allowed = is_allowed(service, path, who) and (bool(token) or who not in CATALOG["delegates"])
    status = await world.call(service, path, who, token)
    if allowed:
        assert status is grpc.StatusCode.OK
        assert arrived == [(who, path)]
    else:
        assert status is grpc.StatusCode.PERMISSION_DENIED
        assert arrived == []


@pytest.mark.case(23)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("service", "path", "who"), FOR_PEOPLE)
async def test_a_dashboard_may_what_the_role_of_whoever_signed_in_may(
    world: World, service: str, path: str, who: str
) -> None:
    recorder, rights = world.recorders[service], roles(service, path)
    for each in PEOPLE:
        recorder.arrived.clear()
        recorder.actors.clear()
        status = await world.call(service, path, who, world.issuer.token(each))
        if may(rights, each):
            assert (status, recorder.arrived) == (grpc.StatusCode.OK, [(who, path)]), each
            assert recorder.actors == [each]
        else:
            assert (status, recorder.arrived) == (grpc.StatusCode.PERMISSION_DENIED, []), each
    recorder.arrived.clear()
    status = await world.call(service, path, who)
    if rights == ["anyone"]:
        assert recorder.actors[-1] == Actor(who, who, "service", "", "", platform=False)
    else:
        assert (status, recorder.arrived) == (grpc.StatusCode.UNAUTHENTICATED, [])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("service", "path", "who"), FOR_PEOPLE)
async def test_a_token_that_proves_nothing_opens_no_method(world: World, service: str, path: str, who: str) -> None:
    recorder, owner = world.recorders[service], person("owner", platform=True)
    recorder.arrived.clear()
    for token in (
        Issuer().token(owner),
        Issuer("other.example").token(owner),
        world.issuer.token(owner, seconds=-60),
        world.issuer.token(owner)[:-4] + "AAAA",
        "nonsense",
    ):
        assert await world.call(service, path, who, token) is grpc.StatusCode.UNAUTHENTICATED, token
    assert recorder.arrived == []


@pytest.mark.asyncio(loop_scope="module")
async def test_who_acts_is_the_operator_or_the_service_itself_whatever_token_it_sends(world: World) -> None:
    recorder, token = world.recorders["billing"], world.issuer.token(person("read_only"))
    recorder.actors.clear()
    assert await world.call("billing", "/llm.v1.Ledger/SetBudget", "operator", token) is grpc.StatusCode.OK
    assert await world.call("billing", "/llm.v1.Ledger/Reserve", "head", token) is grpc.StatusCode.OK
    assert recorder.actors == [OPERATOR, Actor("head", "head", "service", "", "", platform=False)]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/llm.v1.Ledger/Steal", "/llm.v1.Limiter/Acquire", "/grpc.reflection/List"])
async def test_a_method_that_is_not_listed_is_refused_and_makes_no_label(world: World, path: str) -> None:
    assert await world.call("billing", path, "head") is grpc.StatusCode.PERMISSION_DENIED
    refused = REGISTRY.get_sample_value("grpc_server_refused_total", {"grpc_method": "unlisted", "caller": "head"})
    assert refused is not None
    assert refused >= 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refusal_is_counted_by_method_and_caller(world: World) -> None:
    labels = {"grpc_method": "Reserve", "caller": "tail"}
    before = REGISTRY.get_sample_value("grpc_server_refused_total", labels) or 0
    await world.call("billing", "/llm.v1.Ledger/Reserve", "tail")
    assert REGISTRY.get_sample_value("grpc_server_refused_total", labels) == before + 1


def test_every_rpc_is_among_the_pairs() -> None:
    declared = {f"/{port.service.full_name}/{method.name}" for port in PORTS for method in port.service.methods}
    declared |= {f"/{RELAY.full_name}/{method.name}" for method in RELAY.methods}
    assert {path for _, path, _ in PAIRS} == declared
    assert all(GetMessageClass(method.input_type) for port in PORTS for method in port.service.methods)
