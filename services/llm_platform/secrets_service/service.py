"""Versioned secrets by path, every access audited (docs/secrets.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, secrets_pb2
from llm_platform.secrets_service.audit import AuditLog
from llm_platform.secrets_service.changes import Changes
from llm_platform.secrets_service.interfaces import Found, Store, Versions

MAX_VALUE_BYTES = 64 * 1024
MAX_PATH_LENGTH = 200
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]*\Z")

Result = TypeVar("Result")


class SecretService:
    """The real Secrets, over a store. Values are in its answers only: in no log, error or metric."""

    def __init__(self, store: Store, changes: Changes, audit: AuditLog) -> None:
        self._store = store
        self._changes = changes
        self._audit = audit

    async def get(self, request: secrets_pb2.GetSecretRequest) -> secrets_pb2.Secret:
        """The value of a version. Raises INVALID_REQUEST, NOT_FOUND, UNAVAILABLE."""

        async def read() -> Found:
            _check_path(request.path)
            return await self._store.get(request.path, request.version)

        found = await self._audited("get", request.path, request.version, read, lambda found: found.version)
        return secrets_pb2.Secret(path=request.path, version=found.version, value=found.value)

    async def put(self, request: secrets_pb2.PutSecretRequest) -> secrets_pb2.SecretVersion:
        """Adds a version. Raises INVALID_REQUEST, CONFLICT (check-and-set), UNAVAILABLE."""
        expected = request.expected_version if request.HasField("expected_version") else None

        async def write() -> int:
            _check_path(request.path)
            _check_value(request.value)
            return await self._store.put(request.path, request.value, expected)

        version = await self._audited("put", request.path, 0, write, lambda number: number)
        self._changes.changed()
        return secrets_pb2.SecretVersion(path=request.path, version=version)

    async def list(self, request: secrets_pb2.ListSecretsRequest) -> secrets_pb2.SecretInfos:
        """What is there below a prefix, without values; deleted paths are not."""

        async def read() -> secrets_pb2.SecretInfos:
            _check_prefix(request.prefix)
            entries = sorted((await self._store.entries()).items())
            return secrets_pb2.SecretInfos(
                items=[_info(path, entry) for path, entry in entries if entry.versions and _is_below(path, request)]
            )

        return await self._audited("list", request.prefix, 0, read, lambda _: 0)

    async def delete(self, request: secrets_pb2.DeleteSecretRequest) -> common_pb2.Empty:
        """Destroys all versions. Raises INVALID_REQUEST, NOT_FOUND, UNAVAILABLE."""

        async def destroy() -> int:
            _check_path(request.path)
            return await self._store.delete(request.path)

        await self._audited("delete", request.path, 0, destroy, lambda number: number)
        self._changes.changed()
        return common_pb2.Empty()

    async def watch(self, request: secrets_pb2.ListSecretsRequest) -> AsyncIterator[secrets_pb2.SecretInfo]:
        """What is there below a prefix, then each change, without values. ``current_version`` 0: deleted."""

        async def begin() -> None:
            _check_prefix(request.prefix)

        await self._audited("watch", request.prefix, 0, begin, lambda _: 0)
        async for path, entry in self._changes.watch():
            if _is_below(path, request):
                yield _info(path, entry)

    async def check(self) -> None:
        """The readiness check: the store can be read. Raises UNAVAILABLE with the reason."""
        await self._store.check()

    async def _audited(
        self,
        operation: str,
        path: str,
        version: int,
        work: Callable[[], Awaitable[Result]],
        version_of: Callable[[Result], int],
    ) -> Result:
        """Does ``work`` and answers once the access is in the audit log, failed ones too."""
        try:
            result = await work()
        except PlatformError as error:
            # A path that is none may be anything, even a secret in the wrong field: it is not written down.
            shown = "" if error.code is Code.INVALID_REQUEST else path
            await self._audit.record(operation, shown, version, error.code.value)
            raise
        await self._audit.record(operation, path, version_of(result), _outcome(result))
        return result


def _outcome(result: object) -> str:
    return "cached" if isinstance(result, Found) and result.cached else "ok"


def _check_path(path: str) -> None:
    if len(path) > MAX_PATH_LENGTH or not _PATH.match(path):
        raise PlatformError(
            Code.INVALID_REQUEST,
            "A secret's path has parts of letters, digits and . _ - joined by /; each begins with a letter or digit, "
            f"e.g. llm/openai/api_key; at most {MAX_PATH_LENGTH} characters.",
            param="path",
        )


def _check_prefix(prefix: str) -> None:
    if len(prefix) > MAX_PATH_LENGTH or not _PREFIX.match(prefix):
        raise PlatformError(Code.INVALID_REQUEST, "A prefix is the beginning of a path, e.g. llm/.", param="prefix")


def _check_value(value: bytes) -> None:
    if not 1 <= len(value) <= MAX_VALUE_BYTES:
        raise PlatformError(
            Code.INVALID_REQUEST, f"A secret's value has between 1 and {MAX_VALUE_BYTES} bytes.", param="value"
        )


def _is_below(path: str, request: secrets_pb2.ListSecretsRequest) -> bool:
    return path.startswith(request.prefix)


def _info(path: str, entry: Versions) -> secrets_pb2.SecretInfo:
    updated_at = datetime.fromtimestamp(entry.updated_at / 1000, UTC).isoformat(timespec="milliseconds")
    return secrets_pb2.SecretInfo(
        path=path,
        current_version=entry.current,
        versions=sorted(entry.versions),
        updated_at=updated_at.replace("+00:00", "Z"),
    )
