"""What head provides beside inference: decisions and the models it knows."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, routing_pb2
from llm_platform.rpc.port import Port


class Routing(Protocol):
    """What head provides beside inference: decisions and the models it knows."""

    async def decide(self, request: routing_pb2.DecideRequest) -> routing_pb2.Decision: ...

    async def models(self, request: common_pb2.Empty) -> routing_pb2.ModelList: ...


ROUTING = Port(Routing, routing_pb2.DESCRIPTOR.services_by_name["Routing"], provider="head")
