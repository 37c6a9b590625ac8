"""An explained decision says of every provider why, and changes nothing."""

from __future__ import annotations

import pytest

from llm_platform.core.config import Config
from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import providers_pb2
from llm_platform.proto.routing_pb2 import DecideRequest, Decision
from llm_platform.proto.rules_pb2 import ProviderDefinition, ProviderModel, RoutingDocument
from tests.unit.head.parts import ProviderStates, Proxy, RecordingLedger, opened

CONFIG = Config.model_validate(
    {
        "providers": {
            "a": {"type": "echo", "models": ["m"]},
            "b": {"type": "echo", "models": ["m"], "priority": 1},
            "c": {"type": "echo", "models": ["m"], "weight": 0},
            "down": {"type": "echo", "models": ["m"]},
            "off": {"type": "echo", "models": ["m"], "enabled": False},
            "other": {"type": "echo", "models": ["x"]},
        }
    }
)
DOWN = providers_pb2.ProviderHealth(name="down", state="down", detail="it times out", circuit="open")


async def explained(request: DecideRequest, config: Config = CONFIG) -> Decision:
    async with opened(config, Proxy(), RecordingLedger(), ProviderStates(DOWN)) as head:
        return await head.routing.decide(request)


async def test_each_provider_is_chosen_stands_by_or_is_left_out_for_a_reason() -> None:
    decision = await explained(DecideRequest(model="m", explain=True))
    assert [(each.provider, each.outcome) for each in decision.explanation] == [
        ("a", "chosen"),
        ("b", "standby"),
        ("c", "standby"),
        ("down", "left_out"),
        ("off", "left_out"),
        ("other", "left_out"),
    ]
    reasons = {each.provider: each.reason for each in decision.explanation}
    assert reasons["a"] == "first by the rules; weight 1; priority 0"
    assert reasons["b"].startswith("takes the call if the first one fails")
    assert "weight 0: only ever a fallback" in reasons["c"]
    assert reasons["down"] == "down, circuit open (it times out)"
    assert (reasons["off"], reasons["other"]) == ("disabled", "does not serve the model")
    assert (decision.primary.provider, decision.fallback.provider, decision.rejection) == ("a", "b", "")


async def test_the_strategy_shows_in_the_reasons() -> None:
    for strategy, said in (("performance", "100% of recent calls"), ("cost_optimized", "no own price")):
        config = CONFIG.model_copy(update={"routing": CONFIG.routing.model_copy(update={"strategy": strategy})})
        decision = await explained(DecideRequest(model="m", explain=True), config)
        assert said in decision.explanation[0].reason


async def test_a_rejection_is_an_answer_when_it_is_to_be_explained_and_an_error_otherwise() -> None:
    decision = await explained(DecideRequest(model="nobody's", explain=True))
    assert "is not served here" in decision.rejection
    assert not decision.HasField("primary")
    assert {each.outcome for each in decision.explanation} == {"left_out"}
    with pytest.raises(PlatformError) as caught:
        await explained(DecideRequest(model="nobody's"))
    assert caught.value.code is Code.MODEL_NOT_FOUND


async def test_rules_are_tried_without_being_put() -> None:
    definition = ProviderDefinition(name="tried", type="echo", models=[ProviderModel(name="m", upstream="m-9")])
    request = DecideRequest(model="m", document=RoutingDocument(providers=[definition]))
    async with opened(CONFIG, Proxy(), RecordingLedger(), ProviderStates()) as head:
        decision = await head.routing.decide(request)
        assert (decision.primary.provider, decision.primary.upstream_model) == ("tried", "m-9")
        assert (await head.routing.decide(DecideRequest(model="m"))).primary.provider == "a"
        request.document.providers[0].base_url = "no url"
        with pytest.raises(PlatformError) as caught:
            await head.routing.decide(request)
        assert caught.value.param == "providers.tried.base_url"


async def test_an_explained_decision_takes_no_turn() -> None:
    both = {"providers": {name: {"type": "echo", "models": ["m"]} for name in ("a", "b")}}
    async with opened(Config.model_validate(both), Proxy(), RecordingLedger(), ProviderStates()) as head:
        firsts = [
            (await head.routing.decide(DecideRequest(model="m", explain=explain))).primary.provider
            for explain in (True, True, False, True, False)
        ]
    assert firsts == ["a", "a", "a", "b", "b"]
