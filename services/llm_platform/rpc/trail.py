"""What the guard tells the audit log: calls of people that the catalogue lists under ``audit``, and refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from llm_platform.auth_service.audit.entry import NOBODY, Draft, target_of
from llm_platform.auth_service.audit.interfaces import Audit
from llm_platform.auth_service.audit.recorder import Recorder
from llm_platform.auth_service.audit.refusals import Refusals
from llm_platform.core.actor import actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.rpc.actors import RefusedActorError
from llm_platform.rpc.authorization import PACKAGE

_REFUSALS = {Code.UNAUTHENTICATED, Code.PERMISSION_DENIED}


class Trail:
    """The audit log as a guard writes to it. Its methods return at once."""

    def __init__(
        self, refusals: Refusals, note: Callable[[Draft], None] | None = None, audited: Mapping[str, str] | None = None
    ) -> None:
        """``note`` takes the calls of ``audited``: method (``Secrets/Put``) -> the request's field it is about.

        Without it only those that are refused are taken: auth-service writes its changes itself.
        """
        self._refusals = refusals
        self._note = note
        self._fields = {f"/{PACKAGE}.{name}": field for name, field in (audited or {}).items()}

    def covers(self, method: str) -> bool:
        return method in self._fields

    def refused(self, method: str, error: RefusedActorError) -> None:
        """A person may not make this call."""
        action = method.removeprefix(f"/{PACKAGE}.")
        self._refusals.note(Draft(action, result="refused", reason=error.reason, who=error.who or NOBODY))

    def done(self, method: str, request: Any, failure: BaseException | None) -> None:
        """A call that is covered has ended. What services do by themselves is not noted."""
        code = None if failure is None else failure.code if isinstance(failure, PlatformError) else Code.INTERNAL
        if actor.get().kind == "service" or (self._note is None and code not in _REFUSALS):
            return
        draft = Draft(method.removeprefix(f"/{PACKAGE}."), target=target_of(request, self._fields[method]))
        if code is not None:
            draft = draft._replace(result="refused" if code in _REFUSALS else "failed", reason=code.value)
        if self._note is not None:
            self._note(draft)
        else:
            self._refusals.note(draft._replace(reason=str(failure)))


@asynccontextmanager
async def remote_trail(audit: Callable[[], Audit], audited: Mapping[str, str]) -> AsyncIterator[Trail]:
    """Of a service whose audit log is auth-service's."""
    recorder = Recorder(audit)
    refusals = Refusals(recorder.write)
    async with recorder.running(), refusals.running():
        yield Trail(refusals, recorder.note, audited)
