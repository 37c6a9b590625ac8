"""Head's inference: money is held before a call and given back when nothing came of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from llm_platform.core.batch import Batcher
from llm_platform.core.errors import Code, PlatformError
from llm_platform.head import reservations
from llm_platform.head.app import Head
from llm_platform.proto import common_pb2, providers_pb2, routing_pb2
from tests.unit.head.parts import CONFIG, ProviderStates, Proxy, RecordingLedger, call, opened

FAILED = PlatformError(Code.PROVIDER_FAILED, "It failed.")


class Parts(NamedTuple):
    head: Head
    proxy: Proxy
    ledger: RecordingLedger
    providers: ProviderStates


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    proxy, ledger, providers = Proxy(), RecordingLedger(), ProviderStates()
    async with opened(CONFIG, proxy, ledger, providers) as head:
        yield Parts(head, proxy, ledger, providers)


def _no_room(_batcher: Batcher[str, None], _item: str) -> None:
    raise PlatformError(Code.OVERLOADED, "Too many calls are waiting.")


async def refused(head: Head, **fields: object) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await head.inference.open(call(**fields), b"{}")
    return caught.value


async def test_a_call_is_reserved_then_sent_with_its_route(parts: Parts) -> None:
    reply = await parts.head.inference.open(call(max_output_tokens=5, prompt_tokens_bound=40, entry="tail"), b"{}")
    assert reply.start.provider == "first"
    (reserved,) = parts.ledger.reserved
    route = parts.proxy.calls[0].route
    assert (route.provider, route.upstream_model, route.default_output_tokens) == ("first", "first-m", 1000)
    assert route.reservation_id == reserved.reservation_id
    assert (reserved.key_id, reserved.user_id, reserved.provider, reserved.model) == (
        "key_1",
        "user_1",
        "first",
        "first-m",
    )
    assert (reserved.prompt_tokens_bound, reserved.max_output_tokens, reserved.entry) == (40, 5, "tail")
    await parts.head.drain()
    assert parts.ledger.released == []


@pytest.mark.parametrize(("choices", "tokens"), [(0, 1000), (1, 1000), (3, 3000)])
async def test_without_max_tokens_every_choice_is_held_for(parts: Parts, choices: int, tokens: int) -> None:
    await parts.head.inference.open(call(choices=choices), b"{}")
    assert parts.ledger.reserved[0].default_output_tokens == tokens


async def test_a_prompt_without_a_bound_is_bounded_by_its_bytes(parts: Parts) -> None:
    await parts.head.inference.open(call(), b"x" * 77)
    assert parts.ledger.reserved[0].prompt_tokens_bound == 77


async def test_a_failed_provider_is_replaced_once_with_a_new_reservation(parts: Parts) -> None:
    parts.proxy.failing["first"] = FAILED
    reply = await parts.head.inference.open(call(), b"{}")
    assert reply.start.provider == "second"
    first, second = parts.ledger.reserved
    assert (first.provider, second.provider) == ("first", "second")
    assert first.reservation_id != second.reservation_id
    await parts.head.drain()
    assert parts.ledger.released == [first.reservation_id]


async def test_both_reservations_are_given_back_when_the_fallback_fails_too(parts: Parts) -> None:
    parts.proxy.failing |= {"first": FAILED, "second": PlatformError(Code.PROVIDER_TIMEOUT, "Slow.")}
    assert (await refused(parts.head)).code is Code.PROVIDER_TIMEOUT
    await parts.head.drain()
    assert parts.ledger.released == [each.reservation_id for each in parts.ledger.reserved]


@pytest.mark.parametrize("code", [Code.PROVIDER_REFUSED, Code.INVALID_REQUEST, Code.RATE_LIMITED])
async def test_what_another_provider_would_not_change_is_not_tried_elsewhere(parts: Parts, code: Code) -> None:
    parts.proxy.failing["first"] = PlatformError(code, "No.")
    assert (await refused(parts.head)).code is code
    assert len(parts.proxy.calls) == 1


async def test_a_call_whose_link_broke_goes_to_the_same_provider_with_a_reservation_of_its_own(parts: Parts) -> None:
    parts.proxy.failing["first"] = PlatformError(Code.LINK_BROKEN, "The link broke.")
    assert (await refused(parts.head)).code is Code.LINK_BROKEN
    assert [each.route.provider for each in parts.proxy.calls] == ["first", "first"]
    await parts.head.drain()
    assert parts.ledger.released == [each.reservation_id for each in parts.ledger.reserved]
    assert len(set(parts.ledger.released)) == 2


@pytest.mark.parametrize("code", [Code.PROVIDER_FAILED, Code.LINK_BROKEN])
async def test_a_caller_can_forbid_a_second_try(parts: Parts, code: Code) -> None:
    parts.proxy.failing["first"] = PlatformError(code, "No.")
    assert (await refused(parts.head, forbid_retry=True)).code is code
    assert len(parts.proxy.calls) == 1


@pytest.mark.case(6)
async def test_a_refused_reservation_sends_nothing(parts: Parts) -> None:
    parts.ledger.refused["first"] = PlatformError(Code.BUDGET_EXCEEDED, "Spent.")
    assert (await refused(parts.head)).code is Code.BUDGET_EXCEEDED
    assert not parts.proxy.calls


async def test_nothing_is_sent_while_billing_is_down(parts: Parts) -> None:
    parts.ledger.down = PlatformError(Code.UNAVAILABLE, "away")
    assert (await refused(parts.head)).code is Code.UNAVAILABLE
    assert not parts.proxy.calls


async def test_a_reservation_whose_answer_was_lost_is_given_back(parts: Parts) -> None:
    parts.ledger.lost = PlatformError(Code.UNAVAILABLE, "gone")
    assert (await refused(parts.head)).code is Code.UNAVAILABLE
    await parts.head.drain()
    assert parts.ledger.released == [each.reservation_id for each in parts.ledger.reserved]


async def test_releases_that_find_no_room_do_not_hide_why_a_call_failed(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.proxy.failing["first"] = PlatformError(Code.INVALID_REQUEST, "odd")
    monkeypatch.setattr(Batcher, "post", _no_room)
    assert (await refused(parts.head)).code is Code.INVALID_REQUEST


async def test_nothing_is_sent_while_billing_is_frozen(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservations, "ANSWER_SECONDS", 0.05)

    async def frozen(request: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(parts.ledger, "reserve", frozen)
    assert (await refused(parts.head)).code is Code.UNAVAILABLE
    assert not parts.proxy.calls


@pytest.mark.case(14)
async def test_a_call_cancelled_before_its_reply_gives_its_reservation_back(parts: Parts) -> None:
    parts.proxy.before = asyncio.Event().wait  # type: ignore[assignment]
    opening = asyncio.create_task(parts.head.inference.open(call(), b"{}"))
    while not parts.proxy.calls:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await parts.head.drain()
    assert parts.ledger.released == [parts.ledger.reserved[0].reservation_id]


async def test_a_release_is_tried_again(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservations, "RELEASE_PAUSES", (0.01, 0.01))
    parts.ledger.release_failures = 2
    parts.proxy.failing["alone"] = FAILED
    await refused(parts.head, model="single")
    await parts.head.drain()
    assert parts.ledger.released == [parts.ledger.reserved[0].reservation_id]


async def test_an_unknown_model_says_which_there_are(parts: Parts) -> None:
    error = await refused(parts.head, model="hidden")
    assert error.code is Code.MODEL_NOT_FOUND
    assert error.param == "model"
    assert "m, single" in error.message


async def test_without_a_usable_provider_the_error_says_which_and_why(parts: Parts) -> None:
    parts.providers.items = [
        providers_pb2.ProviderHealth(name="first", state="down", detail="refused the key"),
        providers_pb2.ProviderHealth(name="second", state="healthy", circuit="open"),
    ]
    await parts.head.provider_health.refresh()
    error = await refused(parts.head)
    assert error.code is Code.NO_HEALTHY_PROVIDERS
    assert "first: down (refused the key)" in error.message
    assert "second: healthy, circuit open" in error.message
    assert not parts.ledger.reserved


@pytest.mark.parametrize(
    "fields",
    [
        {"request_id": ""},
        {"principal": common_pb2.Principal()},
        {"dialect": "unknown"},
        {"model": ""},
        {"model": "x" * 300},
        {"principal": common_pb2.Principal(key_id="k", allowed_models=["other"])},
    ],
    ids=["request id", "key", "dialect", "no model", "long model", "not allowed"],
)
async def test_a_faulty_entry_gets_no_further(parts: Parts, fields: dict[str, object]) -> None:
    await refused(parts.head, **fields)
    assert not parts.ledger.reserved


async def test_routing_decides_without_calling_anybody(parts: Parts) -> None:
    decision = await parts.head.routing.decide(routing_pb2.DecideRequest(model="m"))
    assert (decision.primary.provider, decision.fallback.provider) == ("first", "second")
    assert decision.decision_id.startswith("dec_")
    assert decision.matched_rules == ["model:m->first", "model:m->second"]
    assert not parts.proxy.calls
    assert not parts.ledger.reserved


async def test_routing_refuses_a_model_the_key_may_not_use(parts: Parts) -> None:
    with pytest.raises(PlatformError) as caught:
        await parts.head.routing.decide(routing_pb2.DecideRequest(model="m", allowed_models=["single"]))
    assert caught.value.code is Code.PERMISSION_DENIED


async def test_models_are_those_of_enabled_providers_each_once(parts: Parts) -> None:
    models = await parts.head.routing.models(common_pb2.Empty())
    assert {model.id: model.owned_by for model in models.items} == {"m": "first", "single": "alone"}
