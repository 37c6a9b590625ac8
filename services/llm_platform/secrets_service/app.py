"""secrets-service: wiring."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import SecretStr

from llm_platform.core.config import Config
from llm_platform.core.errors import CannotStartError, PlatformError
from llm_platform.core.key_file import parse_key, read_key
from llm_platform.core.logging import get_logger
from llm_platform.core.plain_text import warn_of_plain_text
from llm_platform.secrets_service.audit import AuditLog
from llm_platform.secrets_service.changes import Changes
from llm_platform.secrets_service.disk import Disk
from llm_platform.secrets_service.embedded.keyring import ConfiguredKeys, KeyFiles
from llm_platform.secrets_service.embedded.store import EmbeddedStore
from llm_platform.secrets_service.interfaces import SECRETS, Store
from llm_platform.secrets_service.policy import Policy
from llm_platform.secrets_service.reminders import Reminders
from llm_platform.secrets_service.seal import Sealing, VaultSealing
from llm_platform.secrets_service.service import SecretService

if TYPE_CHECKING:
    from llm_platform.core.lifecycle import Runtime

VAULT_POLL_SECONDS = 5.0
"""The longest until a change in Vault by others is seen."""
VAULT_LONGEST_POLL_SECONDS = 20.0
"""How seldom a Vault that is away is asked, unless somebody wants a value: whoever gets one again says so."""

log = get_logger("secrets-service")


class _Opened(NamedTuple):
    store: Store
    sealing: Sealing
    changes: Changes


@asynccontextmanager
async def open_secrets(config: Config) -> AsyncIterator[SecretService]:
    """Over Vault when ``vault`` is configured, else over the embedded store; ``audit.log`` in ``service.data_dir``.

    Vault may be away: then it is used as soon as it is there. So may the embedded store's passphrase. Raises
    UnusableKeyError, UnusableStoreError and UnusableAuthorityError; then nothing was written over.
    """
    settings = config.secrets
    disk = Disk()
    try:
        async with _open_store(config, disk) as opened:
            audit = AuditLog(
                config.service.data_dir / "audit.log",
                disk,
                file_bytes=settings.audit_file_mb * 1024 * 1024,
                files=settings.audit_files,
            )
            async with opened.changes.running(), aclosing(audit):
                yield SecretService(
                    opened.store,
                    opened.sealing,
                    opened.changes,
                    audit,
                    Policy(settings.policy),
                    overlap=settings.rotation_overlap,
                )
    finally:
        disk.close()


@asynccontextmanager
async def _open_store(config: Config, disk: Disk) -> AsyncIterator[_Opened]:
    """The embedded store is ``secrets.json`` and ``secrets.key`` in ``service.data_dir``."""
    reminders = Reminders(config.secrets.reminder_days)
    if config.vault is None:
        path = config.service.data_dir / "secrets.json"
        embedded = EmbeddedStore(path, _keys(config, path), disk)
        await _unseal_at_start(config, embedded)
        await embedded.open()
        yield _Opened(embedded, embedded, Changes(embedded, reminders))
        return
    from llm_platform.secrets_service.vault.store import VaultStore

    config.service.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(VaultStore(config.vault)) as vault:
        changes = Changes(vault, reminders, VAULT_POLL_SECONDS, VAULT_LONGEST_POLL_SECONDS)
        vault.back = changes.changed
        yield _Opened(vault, VaultSealing(), changes)


def _keys(config: Config, store: Path) -> ConfiguredKeys | KeyFiles:
    """From the configuration, from the files it names, else from a file made once beside a new store."""
    stores = config.stores
    key = _configured("stores.secrets_key", stores.secrets_key, stores.secrets_key_file)
    if key is None:
        return KeyFiles(store.with_suffix(".key"), store, sealed=stores.secrets_sealed)
    if stores.secrets_sealed:
        raise CannotStartError("stores.secrets_sealed has no effect with stores.secrets_key: remove one of them.")
    name = "stores.secrets_key_previous"
    return ConfiguredKeys(key, _configured(name, stores.secrets_key_previous, stores.secrets_key_previous_file))


def _configured(name: str, given: SecretStr | None, file: Path | None) -> bytes | None:
    if given is not None:
        return parse_key(given.get_secret_value(), name)
    return read_key(file) if file is not None else None


async def _unseal_at_start(config: Config, store: EmbeddedStore) -> None:
    file = config.stores.secrets_passphrase_file
    if file is None:
        return
    try:
        passphrase = file.read_bytes().rstrip(b"\r\n")
        status = await store.seal_status()
        if status.sealed:
            await store.unseal(passphrase, initialize=not status.passphrase)
    except OSError as error:
        log.warning("stores.secrets_passphrase_file cannot be read: the store stays sealed", reason=error.strerror)
    except PlatformError as error:
        log.error("the store could not be unsealed at the start", reason=error.message)


async def start(runtime: Runtime) -> None:
    """Runs secrets-service in a process of its own."""
    from llm_platform.rpc.server import serve

    secrets = await runtime.enter(open_secrets(runtime.config))
    runtime.health.add("store", secrets.check)
    if runtime.config.vault is not None:
        warn_of_plain_text(runtime.health, "Vault", runtime.config.vault.address)
    await serve(runtime, ports={runtime.config.listen.grpc: [(SECRETS, secrets)]})
