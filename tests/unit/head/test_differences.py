from __future__ import annotations

from llm_platform.core.config import Config
from llm_platform.core.routing_document import of_config
from llm_platform.head.store.differences import differences

OPENAI = {"base_url": "https://a.example/v1", "models": {"m": "m-1"}}


def changed(before: dict[str, object], after: dict[str, object]) -> list[tuple[str, str | None, str | None]]:
    documents = [of_config(Config.model_validate(each)) for each in (before, after)]
    return [
        (each.path, each.before if each.HasField("before") else None, each.after if each.HasField("after") else None)
        for each in differences(*documents)
    ]


def test_the_fields_that_differ_are_told_with_both_values() -> None:
    before = {"providers": {"a": OPENAI}}
    after = {
        "providers": {"a": OPENAI | {"weight": 3, "enabled": False, "models": {"m": "m-2", "n": "n"}}},
        "routing": {"strategy": "performance", "failover_enabled": False},
    }
    assert changed(before, after) == [
        ("strategy", "round_robin", "performance"),
        ("failover_enabled", "true", "false"),
        ("providers.a.enabled", "true", "false"),
        ("providers.a.weight", "1", "3"),
        ("providers.a.models.m", "m-1", "m-2"),
        ("providers.a.models.n", None, "n"),
    ]


def test_a_provider_that_is_new_or_gone_is_one_change() -> None:
    gone, new = changed({"providers": {"a": OPENAI}}, {"providers": {"b": OPENAI}})
    assert (gone[0], gone[2]) == ("providers.a", None)
    assert gone[1] is not None
    assert '"m":"m-1"' in gone[1]
    assert (new[0], new[1]) == ("providers.b", None)


def test_the_order_of_providers_is_a_change_and_that_of_models_is_none() -> None:
    one, other = OPENAI | {"models": {"x": "1", "y": "2"}}, OPENAI | {"models": {"y": "2", "x": "1"}}
    assert changed({"providers": {"a": one, "b": one}}, {"providers": {"b": other, "a": other}}) == [
        ("providers", "a, b", "b, a")
    ]


def test_a_key_of_the_file_is_in_no_document() -> None:
    config = Config.model_validate({"providers": {"a": OPENAI | {"api_key": "sk-of-the-file"}}})
    assert "sk-of-the-file" not in str(of_config(config))
