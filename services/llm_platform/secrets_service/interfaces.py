"""What secrets-service provides, versioned secrets by path, and what it needs: a store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple, Protocol

from llm_platform.proto import common_pb2, secrets_pb2
from llm_platform.rpc.port import Port
from llm_platform.secrets_service.info import Change, Info


class Secrets(Protocol):
    """What secrets-service provides: versioned secrets by path."""

    async def get(self, request: secrets_pb2.GetSecretRequest) -> secrets_pb2.Secret: ...

    async def put(self, request: secrets_pb2.PutSecretRequest) -> secrets_pb2.SecretVersion: ...

    async def rotate(self, request: secrets_pb2.RotateSecretRequest) -> secrets_pb2.SecretVersion: ...

    async def describe(self, request: secrets_pb2.DescribeSecretRequest) -> common_pb2.Empty: ...

    async def list(self, request: secrets_pb2.ListSecretsRequest) -> secrets_pb2.SecretInfos: ...

    async def delete(self, request: secrets_pb2.DeleteSecretRequest) -> common_pb2.Empty: ...

    async def disable(self, request: secrets_pb2.SecretVersion) -> common_pb2.Empty: ...

    async def enable(self, request: secrets_pb2.SecretVersion) -> common_pb2.Empty: ...

    def watch(self, request: secrets_pb2.ListSecretsRequest) -> AsyncIterator[secrets_pb2.SecretInfo]: ...

    async def accesses(self, request: secrets_pb2.AccessesRequest) -> secrets_pb2.SecretAccesses: ...

    async def seal_status(self, request: common_pb2.Empty) -> secrets_pb2.SecretsSeal: ...

    async def seal(self, request: secrets_pb2.SealSecretsRequest) -> secrets_pb2.SecretsSeal: ...

    async def unseal(self, request: secrets_pb2.UnsealSecretsRequest) -> secrets_pb2.SecretsSeal: ...

    async def rotate_store_key(self, request: secrets_pb2.RotateStoreKeyRequest) -> secrets_pb2.SecretsSeal: ...


SECRETS = Port(Secrets, secrets_pb2.DESCRIPTOR.services_by_name["Secrets"], provider="secrets-service")


class Found(NamedTuple):
    """A value that was read."""

    version: int
    value: bytes
    cached: bool = False
    """The store is away; this is what it said last."""
    overlapping: Mapping[int, int] = {}
    """Replaced versions that are still valid -> until when (Unix milliseconds), newest first."""

    def __repr__(self) -> str:
        return f"Found(version={self.version})"


class Store(Protocol):
    """Where secrets are kept. Each call is bounded in time and raises UNAVAILABLE when the store cannot be used.

    ``by`` is who changes it.
    """

    async def entries(self) -> Mapping[str, Info]:
        """All paths; the deleted may be among them, without versions. The same object while nothing changed."""
        ...

    async def get(self, path: str, version: int = 0) -> Found:
        """The newest for version 0. Raises NOT_FOUND."""
        ...

    async def put(
        self, path: str, value: bytes, expected_version: int | None = None, *, by: str = "", overlap: int | None = None
    ) -> int:
        """Adds a version and returns its number. Raises CONFLICT when ``expected_version`` is not the newest.

        ``overlap``: the versions before it are valid for so many seconds more.
        """
        ...

    async def describe(self, path: str, change: Change, by: str) -> int:
        """Returns the number of the newest version. Raises NOT_FOUND."""
        ...

    async def delete(self, path: str, version: int = 0, *, by: str = "") -> int:
        """Destroys a version, every one for 0; returns its number or the newest's. Raises NOT_FOUND."""
        ...

    async def disable(self, path: str, version: int, by: str) -> int:
        """The version cannot be read until it is enabled. Returns its number. Raises NOT_FOUND."""
        ...

    async def enable(self, path: str, version: int, by: str) -> int:
        """Undoes ``disable`` and the end of a rotation's overlap. Raises NOT_FOUND."""
        ...

    async def check(self) -> None:
        """Raises UNAVAILABLE with the reason, when the store cannot be used."""
        ...
