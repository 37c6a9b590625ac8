"""A port: an interface that one service provides and others use, over gRPC or in one process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.descriptor import ServiceDescriptor

Interface = TypeVar("Interface")


@dataclass(frozen=True)
class Port(Generic[Interface]):
    """Ties a Python protocol to its gRPC service.

    The protocol's methods are the RPC's names in snake case: a unary RPC is a coroutine method of
    one message, a server stream an async iterator. Tests hold the two against each other.
    """

    interface: type[Interface]
    service: ServiceDescriptor
    provider: str
    """The catalogue's name of the service that answers it."""
    listener: str = "grpc"
    """Which of the provider's ports: ``grpc``, or ``control`` (model-proxy)."""
