"""secrets-service: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from llm_platform.core.config import Config
from llm_platform.core.key_file import UnusableKeyError, parse_key, read_key, read_or_make_key
from llm_platform.secrets_service.audit import AuditLog
from llm_platform.secrets_service.changes import Changes
from llm_platform.secrets_service.disk import Disk
from llm_platform.secrets_service.interfaces import SECRETS
from llm_platform.secrets_service.sealing import Sealer
from llm_platform.secrets_service.service import SecretService
from llm_platform.secrets_service.store import SecretStore

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime


@asynccontextmanager
async def open_secrets(config: Config) -> AsyncIterator[SecretService]:
    """The embedded store in ``service.data_dir``: ``secrets.json``, ``secrets.key``, ``audit.log``.

    Raises UnusableKeyError and UnusableStoreError; then nothing was written over.
    """
    path = config.service.data_dir / "secrets.json"
    disk = Disk()
    try:
        sealer = Sealer(_key(config, path))
        store = await disk(lambda: SecretStore(path, sealer))
        changes = Changes(store, disk)
        audit = AuditLog(config.service.data_dir / "audit.log", disk)
        async with changes.running(), aclosing(audit):
            yield SecretService(store, changes, audit, disk)
    finally:
        disk.close()


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
