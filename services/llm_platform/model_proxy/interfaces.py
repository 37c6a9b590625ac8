"""What model-proxy provides beside inference: its providers, what they are defined as and how they are."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, providers_pb2
from llm_platform.rpc.port import Port


class Providers(Protocol):
    """What model-proxy provides beside inference: its providers, what they are defined as and how they are."""

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths: ...

    async def reload(self, request: common_pb2.Empty) -> common_pb2.Empty: ...

    async def apply(self, request: providers_pb2.ApplyRequest) -> providers_pb2.Applied: ...

    async def test(self, request: providers_pb2.TestRequest) -> providers_pb2.TestReport: ...


PROVIDERS = Port(
    Providers, providers_pb2.DESCRIPTOR.services_by_name["Providers"], provider="model-proxy", listener="control"
)
