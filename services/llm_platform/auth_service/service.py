"""Who calls: API keys, users and the first admin (docs/accounts.md)."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import AsyncIterator, Callable

from llm_platform.auth_service import keys, requests
from llm_platform.auth_service.audit.entry import NOBODY, Draft
from llm_platform.auth_service.handover import Handover
from llm_platform.auth_service.key_methods import UNBOUNDED, KeyMethods, key_row
from llm_platform.auth_service.names import check_name, check_user_name
from llm_platform.auth_service.organization_methods import OrganizationMethods
from llm_platform.auth_service.passwords import Passwords
from llm_platform.auth_service.revocations import Revocations
from llm_platform.auth_service.rows import KeyRow
from llm_platform.auth_service.store import AccountStore
from llm_platform.auth_service.team_methods import TeamMethods
from llm_platform.auth_service.user_methods import UserMethods, user_row
from llm_platform.core import metrics
from llm_platform.core.actor import OWNER
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2, common_pb2

_AUTHENTICATIONS = {
    result: metrics.authentications.labels(result) for result in ("ok", "unknown", "revoked", "expired", "disabled")
}


class AccountService(KeyMethods, UserMethods, TeamMethods, OrganizationMethods):
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
        refused: Callable[[Draft], None] | None = None,
    ) -> None:
        """``refused`` is told of each refused key, for the audit log."""
        super().__init__(store, revocations, passwords, pepper=pepper, clock=clock)
        self._handover = handover
        self._refused = refused

    async def authenticate(self, request: accounts_pb2.AuthenticateBatch) -> accounts_pb2.AuthenticateReplies:
        """Who each key belongs to, in order, or why it is refused; one query for all of them."""
        requests.check_batch(len(request.keys))
        rows = await self._store.keys_by_id(keys.key_id_of(text) for text in request.keys if keys.is_well_formed(text))
        now_ms = self._now_ms()
        replies = accounts_pb2.AuthenticateReplies()
        for text in request.keys:
            self._judge(text, rows.get(keys.key_id_of(text)), now_ms, replies.items.add())
        return replies

    def _judge(self, text: str, row: KeyRow | None, now_ms: int, reply: accounts_pb2.AuthenticateReply) -> None:
        # The same work whether or not the id exists: neither answer nor time tells them apart.
        kept = row.digest if row else keys.NO_DIGEST
        if not keys.is_well_formed(text):
            reply.refusal = "unknown"  # without hashing what may be a megabyte
        elif not hmac.compare_digest(keys.digest(self._pepper, text), kept) or row is None:
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
        if reply.refusal and self._refused is not None:
            target = keys.shown(row.principal.key_id) if row else ""  # what nobody made is one kind, not many
            draft = Draft("Accounts/Authenticate", target=target, result="refused", reason=reply.refusal, who=NOBODY)
            self._refused(draft._replace(organization_id=row.principal.organization_id if row else ""))

    def watch_revocations(self, request: common_pb2.Empty) -> AsyncIterator[accounts_pb2.Revocation]:  # noqa: ARG002
        """Revocations from now on, and heartbeats; ends when the service stops."""
        return self._revocations.watch()

    async def bootstrap(self, request: accounts_pb2.BootstrapRequest) -> accounts_pb2.Bootstrapped:
        """Makes the first admin and the first key, once; later calls change nothing and show no secret."""
        if admin := await self._store.first_admin():
            return accounts_pb2.Bootstrapped(created=False, admin=admin)
        admin_name = check_user_name(request.admin_name or "admin")
        key_name = check_name(request.key_name or "first", "A key")
        result = accounts_pb2.Bootstrapped(created=True, password=secrets.token_urlsafe(18))
        new = keys.new_key()
        now_ms = self._now_ms()
        user = user_row(admin_name, OWNER, await self._passwords.hash(result.password), now_ms)
        key = key_row(self._pepper, new, key_name, now_ms) | UNBOUNDED | {"user_id": user["user_id"]}

        async def hand_over(admin: accounts_pb2.User, first_key: accounts_pb2.Key) -> None:
            result.admin.CopyFrom(admin)
            result.key.key.CopyFrom(first_key)
            result.key.secret = new.text
            await self._handover.write(result)

        if await self._store.add_first_admin(user, key, hand_over):
            return result
        if admin := await self._store.first_admin():
            return accounts_pb2.Bootstrapped(created=False, admin=admin)
        raise PlatformError(
            Code.CONFLICT, f"There is a user named {admin_name} already: name the first admin otherwise.",
            param="admin_name",
        )  # fmt: skip

    async def check(self) -> None:
        """The readiness check: the database takes changes. Raises UNAVAILABLE with the reason."""
        await self._store.check()
