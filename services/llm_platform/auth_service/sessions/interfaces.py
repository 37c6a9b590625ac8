"""What auth-service provides to know who acts: signing in, and the keys that tokens are checked with."""

from __future__ import annotations

from typing import Protocol

from llm_platform.proto import common_pb2, sessions_pb2
from llm_platform.rpc.port import Port


class Sessions(Protocol):
    """Signing in, and the keys that tokens are checked with."""

    async def public_keys(self, request: common_pb2.Empty) -> sessions_pb2.PublicKeySet: ...

    async def login(self, request: sessions_pb2.PasswordLogin) -> sessions_pb2.SignedIn: ...

    async def begin_oidc(self, request: sessions_pb2.BeginOidcRequest) -> sessions_pb2.OidcStart: ...

    async def finish_oidc(self, request: sessions_pb2.FinishOidcRequest) -> sessions_pb2.SignedIn: ...

    async def token(self, request: sessions_pb2.SessionToken) -> sessions_pb2.ActorToken: ...

    async def program_token(self, request: sessions_pb2.ApiKeyLogin) -> sessions_pb2.ActorToken: ...

    async def logout(self, request: sessions_pb2.SessionToken) -> common_pb2.Empty: ...

    async def list(self, request: sessions_pb2.ListSessionsRequest) -> sessions_pb2.SessionList: ...

    async def end(self, request: sessions_pb2.EndSessionsRequest) -> sessions_pb2.EndedSessions: ...

    async def change_password(self, request: sessions_pb2.ChangePasswordRequest) -> common_pb2.Empty: ...

    async def reset_password(self, request: sessions_pb2.ResetPasswordRequest) -> sessions_pb2.OneTimePassword: ...

    async def replace_signing_key(
        self, request: sessions_pb2.ReplaceSigningKeyRequest
    ) -> sessions_pb2.PublicKeySet: ...


SESSIONS = Port(Sessions, sessions_pb2.DESCRIPTOR.services_by_name["Sessions"], provider="auth-service")
