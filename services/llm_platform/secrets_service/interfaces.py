"""What secrets-service provides: versioned secrets by path."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

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
