"""Who calls: API keys, users and the first admin (docs/accounts.md)."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from llm_platform.auth_service import keys, requests
from llm_platform.auth_service.handover import Handover
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.rows import KeyRow, role_before
from llm_platform.auth_service.store import AccountStore
from llm_platform.core import metrics
from llm_platform.core.actor import DEVELOPER, OWNER
from llm_platform.core.database_failures import unavailable
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.ids import new_id
from llm_platform.proto import accounts_pb2, common_pb2

T = TypeVar("T")

_AUTHENTICATIONS = {
    result: metrics.authentications.labels(result) for result in ("ok", "unknown", "revoked", "expired", "disabled")
}


class AccountService:
    """The real Accounts. Failures of its database are UNAVAILABLE, never a refusal of a key."""

    def __init__(
        self,
        store: AccountStore,
        revocations: Revocations,
        passwords: Passwords,
        *,
        pepper: bytes,
        handover: Handover,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._revocations = revocations
        self._passwords = passwords
        self._pepper = pepper
        self._handover = handover
        self._clock = clock

    async def authenticate(self, request: accounts_pb2.AuthenticateBatch) -> accounts_pb2.AuthenticateReplies:
        """Who each key belongs to, in order, or why it is refused; one query for all of them."""
        requests.check_batch(len(request.keys))
        rows = await _answered(self._store.keys_by_id(keys.key_id_of(text) for text in request.keys))
        now_ms = self._now_ms()
        replies = accounts_pb2.AuthenticateReplies()
        for text in request.keys:
            self._judge(text, rows.get(keys.key_id_of(text)), now_ms, replies.items.add())
        return replies

    def _judge(self, text: str, row: KeyRow | None, now_ms: int, reply: accounts_pb2.AuthenticateReply) -> None:
        # The same work whether or not the id exists: neither answer nor time tells them apart.
        kept = row.digest if row else keys.NO_DIGEST
        if not hmac.compare_digest(keys.digest(self._pepper, text), kept) or row is None:
            reply.refusal = "unknown"
        elif row.revoked_at is not None:
            reply.refusal = "revoked"
        elif row.expires_at is not None and row.expires_at <= now_ms:
            reply.refusal = "expired"
        elif row.disabled:
            reply.refusal = "disabled"
        else:
            reply.principal.CopyFrom(row.principal)
        _AUTHENTICATIONS[reply.refusal or "ok"].inc()

    def watch_revocations(self, request: common_pb2.Empty) -> AsyncIterator[accounts_pb2.Revocation]:  # noqa: ARG002
        """Revocations from now on, and heartbeats; ends when the service stops."""
        return self._revocations.watch()

    async def create_key(self, request: accounts_pb2.CreateKeyRequest) -> accounts_pb2.CreatedKey:
        """Makes a key; only this answer ever holds its secret. Raises INVALID_REQUEST, NOT_FOUND (the user)."""
        now_ms = self._now_ms()
        name = requests.check_key_name(request.name)
        limits = requests.check_limits(request.limits)
        models = requests.check_models(list(request.allowed_models))
        expires_at = requests.parse_expiry(request.expires_at, now_ms)
        owner = await self._owner(request.user)
        new = keys.new_key()
        row = self._key_row(new, name, owner.user_id, now_ms) | {
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "concurrency": limits.concurrency,
            "allowed_models": msgspec.json.encode(models).decode(),
            "expires_at": expires_at,
        }
        return accounts_pb2.CreatedKey(key=await _answered(self._store.add_key(row)), secret=new.text)

    async def list_keys(self, request: accounts_pb2.ListKeysRequest) -> accounts_pb2.Keys:
        """Keys by age, of one user or of all. Raises NOT_FOUND (the user)."""
        user_id = (await self._owner(request.user)).user_id if request.user else None
        return accounts_pb2.Keys(items=await _answered(self._store.list_keys(user_id, request.include_revoked)))

    async def revoke_key(self, request: accounts_pb2.RevokeKeyRequest) -> accounts_pb2.Key:
        """Revokes by id or shown prefix, for good; watchers hear at once. Raises NOT_FOUND."""
        key_id = keys.key_id_of(request.key) or request.key
        key = await _answered(self._store.revoke_key(key_id, self._now_ms()))
        self._revocations.changed()
        return key

    async def create_user(self, request: accounts_pb2.CreateUserRequest) -> accounts_pb2.User:
        """Adds a user; without a password it can own keys but not log in. Raises INVALID_REQUEST, CONFLICT."""
        name, role = requests.check_user_name(request.name), requests.check_role(request.role or DEVELOPER)
        password_hash = await self._passwords.hash(request.password) if request.password else ""
        return await _answered(self._store.add_user(self._user_row(name, role, password_hash)))

    async def list_users(self, request: common_pb2.Empty) -> accounts_pb2.Users:  # noqa: ARG002
        return accounts_pb2.Users(items=await _answered(self._store.list_users()))

    async def login(self, request: accounts_pb2.LoginRequest) -> accounts_pb2.User:
        """The user of that name and password. Raises UNAUTHENTICATED, the same for either being wrong."""
        login = await _answered(self._store.login(request.name))
        if not await self._passwords.verify(login.password_hash if login else None, request.password) or login is None:
            metrics.logins.labels("password", "refused").inc()
            raise PlatformError(Code.UNAUTHENTICATED, "The name or the password is wrong.")
        metrics.logins.labels("password", "ok").inc()
        return login.user

    async def bootstrap(self, request: accounts_pb2.BootstrapRequest) -> accounts_pb2.Bootstrapped:
        """Makes the first admin and the first key, once; later calls change nothing and show no secret."""
        if admin := await _answered(self._store.first_admin()):
            return accounts_pb2.Bootstrapped(created=False, admin=admin)
        admin_name = requests.check_user_name(request.admin_name or "admin")
        key_name = requests.check_key_name(request.key_name or "first")
        result = accounts_pb2.Bootstrapped(created=True, password=secrets.token_urlsafe(18))
        new = keys.new_key()
        user = self._user_row(admin_name, OWNER, await self._passwords.hash(result.password))
        key = self._key_row(new, key_name, user["user_id"], self._now_ms())

        async def hand_over(admin: accounts_pb2.User, first_key: accounts_pb2.Key) -> None:
            result.admin.CopyFrom(admin)
            result.key.key.CopyFrom(first_key)
            result.key.secret = new.text
            await self._handover.write(result)

        if await _answered(self._store.add_first_admin(user, key, hand_over)):
            return result
        if admin := await _answered(self._store.first_admin()):
            return accounts_pb2.Bootstrapped(created=False, admin=admin)
        raise PlatformError(
            Code.CONFLICT, f"There is a user named {admin_name} already: name the first admin otherwise.",
            param="admin_name",
        )  # fmt: skip

    async def check(self) -> None:
        """The readiness check: the database takes changes. Raises UNAVAILABLE with the reason."""
        await _answered(self._store.check())

    async def _owner(self, id_or_name: str) -> accounts_pb2.User:
        if id_or_name:
            user = await _answered(self._store.user(id_or_name))
            missing = PlatformError(Code.NOT_FOUND, "There is no such user.", param="user")
        else:
            user = await _answered(self._store.first_admin())
            missing = PlatformError(Code.NOT_FOUND, "There is no first admin yet: name a user.", param="user")
        if user is None:
            raise missing
        return user

    def _user_row(self, name: str, role: str, password_hash: str) -> dict[str, Any]:
        return {
            "user_id": new_id("usr"),
            "name": name,
            "role": role_before(role),
            "organization_role": role,
            "password_hash": password_hash,
            "created_at": self._now_ms(),
        }

    def _key_row(self, new: keys.NewKey, name: str, user_id: str, now_ms: int) -> dict[str, Any]:
        return {
            "key_id": new.key_id,
            "digest": keys.digest(self._pepper, new.text),
            "name": name,
            "user_id": user_id,
            "requests_per_minute": 0,
            "tokens_per_minute": 0,
            "concurrency": 0,
            "allowed_models": "[]",
            "created_at": now_ms,
        }

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


async def _answered(answer: Awaitable[T]) -> T:
    """The store's answer; a failure of the database is UNAVAILABLE."""
    try:
        return await answer
    except SQLAlchemyError as error:
        raise unavailable(error, "The accounts' database") from None
