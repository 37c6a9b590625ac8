"""What auth-service provides: who calls, keys and users."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from llm_platform.proto import accounts_pb2, common_pb2
from llm_platform.rpc.port import Port


class Accounts(Protocol):
    """What auth-service provides: who calls, keys and users."""

    async def authenticate(self, request: accounts_pb2.AuthenticateBatch) -> accounts_pb2.AuthenticateReplies: ...

    def watch_revocations(self, request: common_pb2.Empty) -> AsyncIterator[accounts_pb2.Revocation]: ...

    async def create_key(self, request: accounts_pb2.CreateKeyRequest) -> accounts_pb2.CreatedKey: ...

    async def list_keys(self, request: accounts_pb2.ListKeysRequest) -> accounts_pb2.Keys: ...

    async def revoke_key(self, request: accounts_pb2.RevokeKeyRequest) -> accounts_pb2.Key: ...

    async def create_user(self, request: accounts_pb2.CreateUserRequest) -> accounts_pb2.User: ...

    async def list_users(self, request: common_pb2.Empty) -> accounts_pb2.Users: ...

    async def bootstrap(self, request: accounts_pb2.BootstrapRequest) -> accounts_pb2.Bootstrapped: ...

    async def login(self, request: accounts_pb2.LoginRequest) -> accounts_pb2.User: ...


ACCOUNTS = Port(Accounts, accounts_pb2.DESCRIPTOR.services_by_name["Accounts"], provider="auth-service")
