"""The requests of a KV engine, version 2, of Vault or OpenBao (https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2).

They block, and raise hvac's errors but for those that belong to a secret.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest

from llm_platform.core.config import Vault
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.logging import get_logger
from llm_platform.secrets_service.embedded.versions import disabled, not_found, not_newest
from llm_platform.secrets_service.info import Change, Info
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.vault import metadata as vault_metadata
from llm_platform.secrets_service.vault.metadata import Custom

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/?\Z")

log = get_logger("secrets-service")


class _Noted(NamedTuple):
    info: Info
    custom: Custom


class Engine:
    """``clock`` gives Unix seconds."""

    def __init__(self, settings: Vault, clock: Callable[[], float] = time.time) -> None:
        self._mount = settings.mount.strip("/")
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        self._clock = clock
        self._may_note = True

    def folder(self, client: Any, folder: str) -> list[str]:
        """What is directly in the folder; folders end with /. Names that are no paths of secrets are left out."""
        try:
            answer = client.secrets.kv.v2.list_secrets(path=self._prefix + folder, mount_point=self._mount)
        except InvalidPath as error:
            if error.errors:
                raise
            return []
        return [name for name in answer["data"]["keys"] if _PART.match(name)]

    def entry(self, client: Any, path: str) -> Info | None:
        """None: there has never been such a secret."""
        noted = self._noted(client, path)
        return noted.info if noted is not None else None

    def read(self, client: Any, path: str, version: int) -> Found:
        try:
            answer = client.secrets.kv.v2.read_secret_version(
                path=self._prefix + path,
                version=version or None,
                mount_point=self._mount,
                raise_on_deleted_version=True,
            )
        except InvalidPath as error:
            if error.errors:
                raise
            raise not_found(path, version) from None
        metadata = answer["data"]["metadata"]
        number, now = int(metadata["version"]), self._now_ms()
        ends = vault_metadata.valid_until(vault_metadata.custom_of(metadata))
        if version and 0 < ends.get(number, 0) <= now:
            raise disabled(path, number)
        value = _value(answer["data"]["data"])
        if value is None:
            raise PlatformError(
                Code.NOT_FOUND,
                f'The secret {path} in Vault has no text in a field "value"; put it there.',
                param="path",
            )
        overlapping = {each: end for each, end in sorted(ends.items(), reverse=True) if each < number and end > now}
        return Found(number, value, overlapping=overlapping)

    def write(
        self, client: Any, path: str, value: bytes, expected: int | None, by: str, overlap: int | None
    ) -> int:  # fmt: skip
        noted = None
        if expected is not None or overlap is not None:
            noted = self._noted(client, path)
        current, last = (noted.info.current, noted.info.last) if noted else (0, 0)
        if expected is not None and expected != current:
            raise not_newest(path, current, expected)
        if noted is not None and overlap is not None and noted.info.enabled:
            # First, so that no crash leaves the old ones valid for good. It means nothing for the newest.
            ends = vault_metadata.ending(noted.custom, noted.info.enabled, self._now_ms() + overlap * 1000)
            self._note(client, path, ends)
        try:
            answer = client.secrets.kv.v2.create_or_update_secret(
                path=self._prefix + path,
                secret=_fields(value),
                cas=last if expected is not None or overlap is not None else None,
                mount_point=self._mount,
            )
        except InvalidRequest as error:
            if not any("check-and-set" in each for each in error.errors or ()):
                raise
            if expected is None and overlap is None:
                raise PlatformError(
                    Code.CONFLICT,
                    f"Vault takes secret {path} with check-and-set only: say the expected version.",
                    param="expected_version",
                ) from None
            entry = self.entry(client, path)
            raise not_newest(path, entry.current if entry else 0, current) from None
        version = int(answer["data"]["version"])
        self._note_if_permitted(client, path, lambda custom: vault_metadata.authored(custom, version, by))
        return version

    def describe(self, client: Any, path: str, change: Change, by: str) -> int:
        noted = self._there(client, path)
        self._note(client, path, vault_metadata.described(noted.custom, change, by))
        return noted.info.last

    def destroy(self, client: Any, path: str, version: int) -> int:
        info = self._there(client, path, version).info
        versions = [version] if version else list(range(min(info.versions), info.last + 1))
        client.secrets.kv.v2.destroy_secret_versions(
            path=self._prefix + path, versions=versions, mount_point=self._mount
        )
        return version or info.current or info.last

    def disable(self, client: Any, path: str, version: int, by: str) -> int:
        self._there(client, path, version)
        self.retire(client, path, [version])
        self._note_if_permitted(client, path, lambda custom: custom | vault_metadata.updated(by))
        return version

    def enable(self, client: Any, path: str, version: int, by: str) -> int:
        noted = self._there(client, path, version)
        if version in vault_metadata.valid_until(noted.custom):
            self._note(client, path, vault_metadata.endless(noted.custom, [version]))
        client.secrets.kv.v2.undelete_secret_versions(
            path=self._prefix + path, versions=[version], mount_point=self._mount
        )
        self._note_if_permitted(client, path, lambda custom: custom | vault_metadata.updated(by))
        return version

    def retire(self, client: Any, path: str, versions: list[int]) -> None:
        """Vault's own deletion, which it can undo."""
        client.secrets.kv.v2.delete_secret_versions(
            path=self._prefix + path, versions=versions, mount_point=self._mount
        )

    def _there(self, client: Any, path: str, version: int = 0) -> _Noted:
        noted = self._noted(client, path)
        if noted is None or not noted.info.versions or (version and version not in noted.info.versions):
            raise not_found(path, version)
        return noted

    def _noted(self, client: Any, path: str) -> _Noted | None:
        try:
            answer = client.secrets.kv.v2.read_secret_metadata(path=self._prefix + path, mount_point=self._mount)
        except InvalidPath as error:
            if error.errors:
                raise
            return None
        metadata = answer["data"]
        return _Noted(vault_metadata.info_of(metadata, self._now_ms()), vault_metadata.custom_of(metadata))

    def _note(self, client: Any, path: str, custom: Custom) -> None:
        # hvac's own method would also reset the path's delete_version_after.
        client.adapter.post(f"/v1/{self._mount}/metadata/{self._prefix}{path}", json={"custom_metadata": custom})

    def _note_if_permitted(self, client: Any, path: str, change: Callable[[Custom], Custom]) -> None:
        """The write is made already: it stands without the note where an older policy does not permit one."""
        try:
            noted = self._noted(client, path)
            self._note(client, path, change(noted.custom if noted else {}))
            self._may_note = True
        except Forbidden:
            if self._may_note:
                log.warning("Vault's policy does not permit to note who changes a secret; docs/secrets.md has it")
            self._may_note = False

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _fields(value: bytes) -> dict[str, str]:
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"value": base64.b64encode(value).decode(), "encoding": "base64"}


def _value(fields: dict[str, Any]) -> bytes | None:
    value = fields.get("value")
    if not isinstance(value, str) or not value:
        return None
    if fields.get("encoding") != "base64":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
