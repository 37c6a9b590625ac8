"""Versioned secrets by path, every access held against the policy and audited (docs/secrets.md)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from llm_platform.core.actor import actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import common_pb2, secrets_pb2
from llm_platform.rpc.caller import caller
from llm_platform.secrets_service.accesses import LOOKED_UP
from llm_platform.secrets_service.audit import AuditLog
from llm_platform.secrets_service.changes import Changes
from llm_platform.secrets_service.info import change_of, time_text, to_proto
from llm_platform.secrets_service.interfaces import Found, Store
from llm_platform.secrets_service.policy import Policy, Right
from llm_platform.secrets_service.seal import Sealing

MAX_VALUE_BYTES = 64 * 1024
MAX_PATH_LENGTH = 200
MAX_OVERLAP_SECONDS = 30 * 24 * 3600
DEFAULT_ACCESSES, MAX_ACCESSES = 50, 500
"""How many accesses one answer names."""
_SHOWN = tuple(field.name for field in secrets_pb2.SecretAccess.DESCRIPTOR.fields)
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]*\Z")

Result = TypeVar("Result")


class SecretService:
    """The real Secrets, over a store. Values are in its answers only: in no log, error or metric."""

    def __init__(
        self, store: Store, sealing: Sealing, changes: Changes, audit: AuditLog, policy: Policy, *, overlap: int
    ) -> None:
        """``overlap``: seconds that a rotated secret stays valid when the rotation does not say."""
        self._store = store
        self._sealing = sealing
        self._changes = changes
        self._audit = audit
        self._policy = policy
        self._overlap = overlap

    async def get(self, request: secrets_pb2.GetSecretRequest) -> secrets_pb2.Secret:
        """The value of a version. Raises INVALID_REQUEST, PERMISSION_DENIED, NOT_FOUND, UNAVAILABLE."""
        found = await self._read(request.path, request.version)
        secret = secrets_pb2.Secret(path=request.path, version=found.version, value=found.value)
        if request.with_overlap and not request.version:
            for version, until in found.overlapping.items():
                try:
                    replaced = await self._read(request.path, version)
                except PlatformError as error:
                    ended = error.code is Code.NOT_FOUND
                    unknown = found.cached and error.code is Code.UNAVAILABLE
                    if not (ended or unknown):
                        raise
                    continue
                secret.overlapping.add(version=version, value=replaced.value, valid_until=time_text(until))
        return secret

    async def put(self, request: secrets_pb2.PutSecretRequest) -> secrets_pb2.SecretVersion:
        """Adds a version. Raises INVALID_REQUEST, PERMISSION_DENIED, CONFLICT (check-and-set), UNAVAILABLE."""
        expected = request.expected_version if request.HasField("expected_version") else None

        async def write() -> int:
            _check_value(request.value)
            return await self._store.put(request.path, request.value, expected, by=_author())

        return await self._write("put", request.path, 0, write)

    async def rotate(self, request: secrets_pb2.RotateSecretRequest) -> secrets_pb2.SecretVersion:
        """Like ``put`` of a secret that exists; the versions before it end with the overlap."""
        expected = request.expected_version if request.HasField("expected_version") else None
        overlap = request.overlap_seconds if request.HasField("overlap_seconds") else self._overlap

        async def write() -> int:
            _check_value(request.value)
            if overlap > MAX_OVERLAP_SECONDS:
                raise PlatformError(
                    Code.INVALID_REQUEST,
                    f"An overlap has at most {MAX_OVERLAP_SECONDS} seconds.",
                    param="overlap_seconds",
                )
            newest = (await self._store.get(request.path)).version if expected is None else expected
            return await self._store.put(request.path, request.value, newest, by=_author(), overlap=overlap)

        return await self._write("rotate", request.path, 0, write)

    async def describe(self, request: secrets_pb2.DescribeSecretRequest) -> common_pb2.Empty:
        """Sets description, labels and reminder. Raises INVALID_REQUEST, PERMISSION_DENIED, NOT_FOUND, UNAVAILABLE."""

        async def write() -> int:
            return await self._store.describe(request.path, change_of(request), _author())

        await self._write("describe", request.path, 0, write)
        return common_pb2.Empty()

    async def list(self, request: secrets_pb2.ListSecretsRequest) -> secrets_pb2.SecretInfos:
        """What is there below a prefix and may be seen, without values; deleted paths are not."""

        async def read() -> secrets_pb2.SecretInfos:
            self._check_listing(request)
            entries = sorted((await self._store.entries()).items())
            return secrets_pb2.SecretInfos(
                items=[to_proto(path, info) for path, info in entries if info.versions and self._shows(path, request)]
            )

        return await self._audited("list", request.prefix, 0, read, lambda _: 0)

    async def delete(self, request: secrets_pb2.DeleteSecretRequest) -> common_pb2.Empty:
        """Destroys one version, or all. Raises INVALID_REQUEST, PERMISSION_DENIED, NOT_FOUND, UNAVAILABLE."""

        async def destroy() -> int:
            return await self._store.delete(request.path, request.version, by=_author())

        await self._write("delete", request.path, request.version, destroy)
        return common_pb2.Empty()

    async def disable(self, request: secrets_pb2.SecretVersion) -> common_pb2.Empty:
        """Raises INVALID_REQUEST, PERMISSION_DENIED, NOT_FOUND, UNAVAILABLE."""

        async def write() -> int:
            _check_version(request.version)
            return await self._store.disable(request.path, request.version, _author())

        await self._write("disable", request.path, request.version, write)
        return common_pb2.Empty()

    async def enable(self, request: secrets_pb2.SecretVersion) -> common_pb2.Empty:
        """Raises INVALID_REQUEST, PERMISSION_DENIED, NOT_FOUND, UNAVAILABLE."""

        async def write() -> int:
            _check_version(request.version)
            return await self._store.enable(request.path, request.version, _author())

        await self._write("enable", request.path, request.version, write)
        return common_pb2.Empty()

    async def watch(self, request: secrets_pb2.ListSecretsRequest) -> AsyncIterator[secrets_pb2.SecretInfo]:
        """What is there below a prefix, then each change, without values. ``current_version`` 0: deleted, disabled."""

        async def begin() -> None:
            self._check_listing(request)

        await self._audited("watch", request.prefix, 0, begin, lambda _: 0)
        async for path, info in self._changes.watch():
            if self._shows(path, request):
                yield to_proto(path, info)

    async def accesses(self, request: secrets_pb2.AccessesRequest) -> secrets_pb2.SecretAccesses:
        """Who read or changed a secret that may be seen. Raises INVALID_REQUEST, PERMISSION_DENIED, UNAVAILABLE."""

        async def search() -> secrets_pb2.SecretAccesses:
            _check_path(request.path)
            self._policy.check(Right.SEE, request.path)
            found = await self._audit.accesses(request.path, min(request.page_size, MAX_ACCESSES) or DEFAULT_ACCESSES)
            return secrets_pb2.SecretAccesses(
                items=[
                    secrets_pb2.SecretAccess(**{name: getattr(line, name) for name in _SHOWN}) for line in found.lines
                ],
                searched_back_to=found.back_to,
            )

        return await self._audited(LOOKED_UP, request.path, 0, search, lambda _: 0)

    async def seal_status(self, request: common_pb2.Empty) -> secrets_pb2.SecretsSeal:  # noqa: ARG002
        return await self._sealing.seal_status()

    async def seal(self, request: secrets_pb2.SealSecretsRequest) -> secrets_pb2.SecretsSeal:
        """Forgets the store's key. Raises PERMISSION_DENIED, INVALID_REQUEST, CONFLICT, UNAVAILABLE."""
        return await self._on_key("seal", lambda: self._sealing.seal(request.passphrase))

    async def unseal(self, request: secrets_pb2.UnsealSecretsRequest) -> secrets_pb2.SecretsSeal:
        """Raises PERMISSION_DENIED (a wrong passphrase too), INVALID_REQUEST, CONFLICT, UNAVAILABLE."""
        return await self._on_key(
            "unseal", lambda: self._sealing.unseal(request.passphrase, initialize=request.initialize)
        )

    async def rotate_store_key(self, request: secrets_pb2.RotateStoreKeyRequest) -> secrets_pb2.SecretsSeal:
        """Raises PERMISSION_DENIED, CONFLICT, INVALID_REQUEST, UNAVAILABLE."""
        if request.confirm:
            return await self._on_key("confirm_key", self._sealing.confirm_key)
        return await self._on_key("rotate_key", self._sealing.rotate_key)

    async def check(self) -> None:
        """The readiness check: the store can be read. Raises UNAVAILABLE with the reason."""
        await self._store.check()

    async def _read(self, path: str, version: int) -> Found:
        async def read() -> Found:
            _check_path(path)
            self._policy.check(Right.READ, path)
            return await self._store.get(path, version)

        return await self._audited("get", path, version, read, lambda found: found.version)

    async def _write(
        self, operation: str, path: str, version: int, work: Callable[[], Awaitable[int]]
    ) -> secrets_pb2.SecretVersion:
        async def permitted() -> int:
            _check_path(path)
            self._policy.check(Right.WRITE, path)
            return await work()

        number = await self._audited(operation, path, version, permitted, lambda number: number)
        self._changes.changed()
        return secrets_pb2.SecretVersion(path=path, version=number)

    async def _on_key(self, operation: str, work: Callable[[], Awaitable[None]]) -> secrets_pb2.SecretsSeal:
        async def permitted() -> None:
            self._policy.check(Right.WRITE, "**")
            await work()

        await self._audited(operation, "", 0, permitted, lambda _: 0)
        self._changes.changed()
        return await self._sealing.seal_status()

    def _check_listing(self, request: secrets_pb2.ListSecretsRequest) -> None:
        _check_prefix(request.prefix)
        self._policy.check_any(Right.SEE)

    def _shows(self, path: str, request: secrets_pb2.ListSecretsRequest) -> bool:
        return path.startswith(request.prefix) and self._policy.permits(Right.SEE, path)

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


def _author() -> str:
    """Who makes a change, as people know it: a user, or else the service itself."""
    who = actor.get()
    if who.kind in {"user", "service_account"} or caller.get() == "standalone":
        return who.name
    return caller.get()


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


def _check_version(version: int) -> None:
    if not version:
        raise PlatformError(Code.INVALID_REQUEST, "Say which version.", param="version")
