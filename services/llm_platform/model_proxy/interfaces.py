"""What model-proxy provides beside inference: the state of its providers."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, providers_pb2
from llm_platform.rpc.port import Port


class Providers(Protocol):
    """What model-proxy provides beside inference: the state of its providers."""

    async def health(self, request: common_pb2.Empty) -> providers_pb2.ProviderHealths: ...

    async def reload(self, request: common_pb2.Empty) -> common_pb2.Empty: ...


PROVIDERS = Port(
    Providers, providers_pb2.DESCRIPTOR.services_by_name["Providers"], provider="model-proxy", listener="control"
)
