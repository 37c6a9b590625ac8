"""Changes that a command makes in the embedded stores stand in the audit log, as a service's guard notes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from llm_platform.core.errors import Code, PlatformError
from llm_platform.rpc.port import Interface, Port

if TYPE_CHECKING:
    from llm_platform.auth_service.audit.entry import Draft
    from llm_platform.core.config import Config

NOTED = {
    "Ledger/SetBudget": "key_id",
    "Ledger/ReadBack": "",
    "Ledger/PutBudget": "budget.scope_id",
    "Ledger/DeleteBudget": "scope_id",
    "Ledger/Resolve": "",
    "Ledger/RetryNotification": "",
    "Ledger/ConfirmArchive": "last",
    "Ledger/RemoveArchived": "",
    "Routing/PutRules": "etag",
    "Routing/RestoreRevision": "number",
    "Routing/ImportRules": "etag",
}
"""As the catalogue's ``audit``, which need not be there where everything runs in one process: the call, and the
request's field it is about."""


@asynccontextmanager
async def audited(config: Config, port: Port[Interface], service: Interface) -> AsyncIterator[Interface]:
    """``service``, whose calls of ``NOTED`` are noted, however they end.

    The log is opened, and written, at the end, and only if there is something to note.
    """
    noted: list[Draft] = []
    try:
        yield cast("Interface", _Noting(service, port, noted.append))
    finally:
        if noted:
            await _write(config, noted)


async def _write(config: Config, noted: list[Draft]) -> None:
    from llm_platform.auth_service.app import open_auth_service

    async with open_auth_service(config) as opened:
        await opened.audit.write(*noted)


class _Noting:
    def __init__(self, service: object, port: Port[Any], note: Callable[[Draft], None]) -> None:
        self._service = service
        self._port = port
        self._note = note

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._service, name)
        action = f"{self._port.service.name}/{''.join(map(str.capitalize, name.split('_')))}"
        return self._noting(action, method) if action in NOTED else method

    def _noting(self, action: str, method: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
        from llm_platform.auth_service.audit.entry import Draft, target_of

        async def call(request: Any) -> Any:
            draft = Draft(action, target=target_of(request, NOTED[action]), service=self._port.provider)
            try:
                answer = await method(request)
            except BaseException as error:
                code = error.code if isinstance(error, PlatformError) else Code.INTERNAL
                self._note(draft._replace(result="failed", reason=code.value))
                raise
            self._note(draft)
            return answer

        return call
