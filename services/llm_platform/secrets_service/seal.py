"""What secrets-service says and does about the key of its store, whatever the store is."""

from __future__ import annotations

from typing import Protocol

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import secrets_pb2


class Sealing(Protocol):
    """Each raises PlatformError. A passphrase is in no answer and no error."""

    async def seal_status(self) -> secrets_pb2.SecretsSeal: ...

    async def seal(self, passphrase: bytes) -> None: ...

    async def unseal(self, passphrase: bytes, *, initialize: bool) -> None: ...

    async def rotate_key(self) -> None: ...

    async def confirm_key(self) -> None: ...


class VaultSealing:
    """Vault keeps its own seal and keys."""

    async def seal_status(self) -> secrets_pb2.SecretsSeal:
        return secrets_pb2.SecretsSeal(store="vault")

    async def seal(self, passphrase: bytes) -> None:  # noqa: ARG002
        raise _vaults_own()

    async def unseal(self, passphrase: bytes, *, initialize: bool) -> None:  # noqa: ARG002
        raise _vaults_own()

    async def rotate_key(self) -> None:
        raise _vaults_own()

    async def confirm_key(self) -> None:
        raise _vaults_own()


def _vaults_own() -> PlatformError:
    return PlatformError(
        Code.INVALID_REQUEST, "The secrets are in Vault: seal, unseal and rotate its key there (vault operator …)."
    )
