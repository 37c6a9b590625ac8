"""secrets-service: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

from llm_platform.core.config import Config
from llm_platform.core.key_file import UnusableKeyError, parse_key, read_key, read_or_make_key
from llm_platform.secrets_service.audit import AuditLog
from llm_platform.secrets_service.changes import Changes
from llm_platform.secrets_service.disk import Disk
from llm_platform.secrets_service.embedded import EmbeddedStore
from llm_platform.secrets_service.interfaces import SECRETS, Store
from llm_platform.secrets_service.sealing import Sealer
from llm_platform.secrets_service.service import SecretService
from llm_platform.secrets_service.store import SecretStore

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

VAULT_POLL_SECONDS = 5.0
"""The longest until a change in Vault by others is seen, and until a Vault that was away is."""


@asynccontextmanager
async def open_secrets(config: Config) -> AsyncIterator[SecretService]:
    """Over Vault when ``vault`` is configured, else over the embedded store; ``audit.log`` in ``service.data_dir``.

    Vault may be away: then it is used as soon as it is there. Raises UnusableKeyError, UnusableStoreError and
    UnusableAuthorityError; then nothing was written over.
    """
    disk = Disk()
    try:
        async with _open_store(config, disk) as (store, changes):
            audit = AuditLog(config.service.data_dir / "audit.log", disk)
            async with changes.running(), aclosing(audit):
                yield SecretService(store, changes, audit)
    finally:
        disk.close()


@asynccontextmanager
async def _open_store(config: Config, disk: Disk) -> AsyncIterator[tuple[Store, Changes]]:
    """The embedded store is ``secrets.json`` and ``secrets.key`` in ``service.data_dir``."""
    if config.vault is None:
        path = config.service.data_dir / "secrets.json"
        sealer = Sealer(_key(config, path))
        embedded = EmbeddedStore(await disk(lambda: SecretStore(path, sealer)), disk)
        yield embedded, Changes(embedded)
        return
    from llm_platform.secrets_service.vault_store import VaultStore

    config.service.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(VaultStore(config.vault)) as vault:
        yield vault, Changes(vault, VAULT_POLL_SECONDS)


def _key(config: Config, store: Path) -> bytes:
    """From the configuration, from the file it names, else from a file made once beside a new store."""
    stores = config.stores
    if stores.secrets_key is not None:
        return parse_key(stores.secrets_key.get_secret_value(), "stores.secrets_key")
    if stores.secrets_key_file is not None:
        return read_key(stores.secrets_key_file)
    path = store.with_suffix(".key")
    if store.exists() and not path.exists():
        raise UnusableKeyError(f"The store of secrets {store} exists, but its key {path} does not: restore the key.")
    return read_or_make_key(path)


async def start(runtime: Runtime) -> None:
    """Runs secrets-service in a process of its own."""
    from llm_platform.rpc.server import serve

    secrets = await runtime.enter(open_secrets(runtime.config))
    runtime.health.add("store", secrets.check)
    await serve(runtime, ports={runtime.config.listen.grpc: [(SECRETS, secrets)]})
