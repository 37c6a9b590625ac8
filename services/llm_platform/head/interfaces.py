"""What head provides beside inference: decisions, the models it knows, and the rules that it decides by."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, routing_pb2
from llm_platform.rpc.port import Port


class Routing(Protocol):
    """What head provides beside inference: decisions, the models it knows, and the rules that it decides by."""

    async def decide(self, request: routing_pb2.DecideRequest) -> routing_pb2.Decision: ...

    async def models(self, request: common_pb2.Empty) -> routing_pb2.ModelList: ...

    async def rules(self, request: common_pb2.Empty) -> routing_pb2.RoutingRevision: ...

    async def put_rules(self, request: routing_pb2.PutRulesRequest) -> routing_pb2.RoutingRevision: ...

    async def restore_revision(self, request: routing_pb2.RestoreRevisionRequest) -> routing_pb2.RoutingRevision: ...

    async def import_rules(self, request: routing_pb2.ImportRulesRequest) -> routing_pb2.RoutingRevision: ...

    async def list_revisions(self, request: routing_pb2.ListRevisionsRequest) -> routing_pb2.RevisionList: ...

    async def get_revision(self, request: routing_pb2.GetRevisionRequest) -> routing_pb2.RoutingRevision: ...


ROUTING = Port(Routing, routing_pb2.DESCRIPTOR.services_by_name["Routing"], provider="head")
