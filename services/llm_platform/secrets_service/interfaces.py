"""What secrets-service provides, versioned secrets by path, and what it needs: a store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from typing import NamedTuple, Protocol

from llm_platform.proto import common_pb2, secrets_pb2
from llm_platform.rpc.port import Port


class Secrets(Protocol):
    """What secrets-service provides: versioned secrets by path."""

    async def get(self, request: secrets_pb2.GetSecretRequest) -> secrets_pb2.Secret: ...

    async def put(self, request: secrets_pb2.PutSecretRequest) -> secrets_pb2.SecretVersion: ...

    async def list(self, request: secrets_pb2.ListSecretsRequest) -> secrets_pb2.SecretInfos: ...

    async def delete(self, request: secrets_pb2.DeleteSecretRequest) -> common_pb2.Empty: ...

    def watch(self, request: secrets_pb2.ListSecretsRequest) -> AsyncIterator[secrets_pb2.SecretInfo]: ...


SECRETS = Port(Secrets, secrets_pb2.DESCRIPTOR.services_by_name["Secrets"], provider="secrets-service")


class Versions(Protocol):
    """What is known of one path without its values."""

    @property
    def current(self) -> int:
        """The newest version; 0: deleted."""
        ...

    @property
    def versions(self) -> Collection[int]:
        """Those that can be read; none: deleted."""
        ...

    @property
    def updated_at(self) -> int:
        """Unix milliseconds."""
        ...


class Found(NamedTuple):
    """A value that was read."""

    version: int
    value: bytes
    cached: bool = False
    """The store is away; this is what it said last."""

    def __repr__(self) -> str:
        return f"Found(version={self.version})"


class Store(Protocol):
    """Where secrets are kept. Each call is bounded in time and raises UNAVAILABLE when the store cannot be used."""

    async def entries(self) -> Mapping[str, Versions]:
        """All paths; the deleted may be among them, without versions."""
        ...

    async def get(self, path: str, version: int = 0) -> Found:
        """The newest for version 0. Raises NOT_FOUND."""
        ...

    async def put(self, path: str, value: bytes, expected_version: int | None = None) -> int:
        """Adds a version and returns its number. Raises CONFLICT when ``expected_version`` is not the newest."""
        ...

    async def delete(self, path: str) -> int:
        """Destroys every version; returns the number of the newest. Raises NOT_FOUND."""
        ...

    async def check(self) -> None:
        """Raises UNAVAILABLE with the reason, when the store cannot be used."""
        ...
