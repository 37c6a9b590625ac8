"""The methods about notifications: from messages to the outbox and back."""

from __future__ import annotations

from llm_platform.billing.budgets.windows import rfc3339
from llm_platform.billing.notifications.notices import Notice
from llm_platform.billing.notifications.outbox import Outbox
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import ledger_pb2

PAGE = 1_000
MAX_PAGE = 10_000
STATES = ("", "pending", "delivered", "dead", "kept")


class NotificationRequests:
    """Raises SQLAlchemyError while the database fails."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def find(self, query: ledger_pb2.NotificationsQuery) -> ledger_pb2.NotificationPage:
        """Raises INVALID_REQUEST."""
        if query.state not in STATES:
            raise PlatformError(Code.INVALID_REQUEST, f"A state is one of {', '.join(STATES[1:])}.", param="state")
        found = await self._outbox.listed(query.state, min(query.limit or PAGE, MAX_PAGE))
        return ledger_pb2.NotificationPage(items=map(_message, found))

    async def retry(self, request: ledger_pb2.NotificationRef, now: int) -> ledger_pb2.Notification:
        """Raises NOT_FOUND."""
        return _message(await self._outbox.retry(request.event_id, now))


def _message(notice: Notice) -> ledger_pb2.Notification:
    return ledger_pb2.Notification(
        event_id=notice.event_id,
        budget_id=notice.budget_id,
        threshold=notice.threshold,
        state=notice.state,
        attempts=notice.attempts,
        created_at=rfc3339(notice.created_at),
        due_at=rfc3339(notice.due_at) if notice.state == "pending" else "",
        reason=notice.reason,
        body=notice.body,
    )
