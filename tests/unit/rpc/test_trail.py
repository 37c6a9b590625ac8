"""What of auth-service's own calls a guard writes down: refusals, since changes stand there already."""

from __future__ import annotations

from llm_platform.auth_service.audit.entry import Draft
from llm_platform.auth_service.audit.refusals import Refusals
from llm_platform.core.actor import Actor, actor
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import accounts_pb2
from llm_platform.rpc.trail import Trail

ZOE = Actor("usr_zoe", "zoe", "user", "admin", "org_a", platform=False)
METHOD = "/llm.v1.Accounts/UpdateUser"


async def noted(who: Actor, failure: BaseException | None) -> list[Draft]:
    written: list[Draft] = []

    async def write(*drafts: Draft) -> None:
        written.extend(drafts)

    refusals = Refusals(write)
    trail = Trail(refusals, audited={"Accounts/UpdateUser": "user"})
    assert trail.covers(METHOD)
    token = actor.set(who)
    trail.done(METHOD, accounts_pb2.UpdateUserRequest(user="boss"), failure)
    actor.reset(token)
    await refusals.flush()
    return written


async def test_what_auth_service_refuses_a_person_is_noted_with_who_and_why() -> None:
    refusal = PlatformError(Code.PERMISSION_DENIED, "Only an owner changes an owner.")
    (draft,) = await noted(ZOE, refusal)
    assert (draft.action, draft.target, draft.result, draft.who) == ("Accounts/UpdateUser", "boss", "refused", ZOE)
    assert "Only an owner changes an owner." in draft.reason


async def test_what_is_done_fails_or_is_no_persons_is_not() -> None:
    assert not await noted(ZOE, None)
    assert not await noted(ZOE, PlatformError(Code.CONFLICT, "changed meanwhile"))
    assert not await noted(ZOE, ValueError())
    service = Actor("billing", "billing", "service", "", "", platform=False)
    assert not await noted(service, PlatformError(Code.PERMISSION_DENIED, "no"))
