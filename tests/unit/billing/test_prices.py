from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_platform.billing.pricing.book import ECHO, PriceBook
from llm_platform.billing.pricing.catalogue import Catalogue, UnbelievablePriceError, load_apart, model_price
from llm_platform.billing.pricing.price import MAX_PRICE, Price, Rates, Tier, flat_price
from llm_platform.core.config import Billing, Config, Provider
from llm_platform.core.errors import PlatformError
from llm_platform.proto.common_pb2 import Usage

RATES = Rates(
    input=100, cached_input=10, cache_write=125, input_audio=1_000, output=200, reasoning=300, output_audio=2_000
)


def book(**sections: object) -> PriceBook:
    return PriceBook(Config(**sections), clock=lambda: 1_767_225_600.0)  # type: ignore[arg-type]


def openai(**options: object) -> dict[str, Provider]:
    return {"openai": Provider(**options)}  # type: ignore[arg-type]


@pytest.mark.case(3)
def test_every_token_is_counted_once_at_the_price_of_what_it_is() -> None:
    usage = Usage(
        input_tokens=100,
        cached_input_tokens=20,
        cache_write_tokens=10,
        input_audio_tokens=5,
        output_tokens=50,
        reasoning_tokens=30,
        output_audio_tokens=4,
    )
    assert Price("r", (Tier(-1, RATES),)).cost(usage) == (
        65 * 100 + 20 * 10 + 10 * 125 + 5 * 1_000 + 16 * 200 + 30 * 300 + 4 * 2_000
    )


@pytest.mark.case(3)
def test_parts_that_exceed_the_whole_are_cut_to_it() -> None:
    usage = Usage(input_tokens=10, cached_input_tokens=500, input_audio_tokens=7, output_tokens=3, reasoning_tokens=90)
    assert Price("r", (Tier(-1, RATES),)).cost(usage) == 10 * 10 + 3 * 300


def test_crossing_a_tier_changes_the_price_of_all_tokens() -> None:
    price = Price("r", (Tier(-1, Rates.flat(10, 20)), Tier(1_000, Rates.flat(30, 40))))
    assert price.cost(Usage(input_tokens=1_000, output_tokens=1)) == 10_020
    assert price.cost(Usage(input_tokens=1_001, output_tokens=1)) == 30_070


tokens = st.integers(0, 10_000)
rates = st.integers(0, 1_000)


@given(
    tiers=st.lists(st.builds(Rates, *([rates] * 8)), min_size=1, max_size=3),
    starts=st.lists(st.integers(0, 9_000), min_size=2, max_size=2, unique=True),
    prompt=tokens,
    output=tokens,
    parts=st.tuples(tokens, tokens, tokens, tokens, tokens),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_no_usage_within_the_bounds_costs_more_than_the_bound(
    tiers: list[Rates],
    starts: list[int],
    prompt: int,
    output: int,
    parts: tuple[int, int, int, int, int],
    share: tuple[float, float],
) -> None:
    price = Price("r", tuple(map(Tier, [-1, *sorted(starts)], tiers)))
    usage = Usage(
        input_tokens=int(prompt * share[0]),
        output_tokens=int(output * share[1]),
        cached_input_tokens=parts[0],
        cache_write_tokens=parts[1],
        input_audio_tokens=parts[2],
        reasoning_tokens=parts[3],
        output_audio_tokens=parts[4],
    )
    assert 0 <= price.cost(usage) <= price.bound(prompt, output)


def test_known_models_have_the_prices_of_the_catalogue() -> None:
    price = book(providers=openai()).find("openai", "gpt-4o-mini")
    assert price is not None
    assert price.revision.startswith("genai-prices-")
    # $0.15 and $0.60 a million tokens, cached input half price.
    assert price.tiers[0].rates.input == 150_000
    assert price.tiers[0].rates.output == 600_000
    assert price.tiers[0].rates.cached_input == 75_000


def test_a_provider_is_known_by_its_base_url_before_its_name() -> None:
    prices = book(providers={"mine": Provider(base_url="https://api.anthropic.com/v1")})
    price = prices.find("mine", "claude-sonnet-4-5")
    assert price is not None
    assert price.tiers[0].rates.cache_write > price.tiers[0].rates.input > price.tiers[0].rates.cached_input
    assert len(price.tiers) > 1


async def test_a_catalogue_loaded_apart_has_the_same_prices() -> None:
    azure, nobody = ("azure", None), ("nobody", "http://127.0.0.1:1")
    apart, whole = await load_apart([azure, nobody]), Catalogue()
    for model in ("gpt-4o-mini", "claude-sonnet-4-5", "no-such-model"):
        assert apart.find(*azure, model, 1_767_225_600.0) == whole.find(*azure, model, 1_767_225_600.0)
    assert apart.find(*azure, "gpt-4o-mini", 1_767_225_600.0) is not None
    assert apart.find(*nobody, "gpt-4o-mini", 1_767_225_600.0) is None
    assert "_snapshot" not in vars(apart)


def test_own_prices_win_and_a_star_stands_for_every_model() -> None:
    prices = book(
        providers=openai(), billing=Billing(prices={"openai/gpt-4o-mini": [1, 2], "vllm/*": [3, 4], "vllm/a/b": [5, 6]})
    )
    assert prices.find("openai", "gpt-4o-mini").tiers[0].rates.input == 1  # type: ignore[union-attr]
    assert prices.find("vllm", "anything").tiers[0].rates.output == 4  # type: ignore[union-attr]
    assert prices.find("vllm", "a/b").tiers[0].rates.output == 6  # type: ignore[union-attr]
    assert prices.find("vllm", "a/b").revision.startswith("config-")  # type: ignore[union-attr]


def test_the_revision_changes_with_the_configured_prices() -> None:
    revisions = {
        book(billing=Billing(prices=prices)).find("a", "b").revision  # type: ignore[union-attr]
        for prices in ({"a/b": [1, 2]}, {"a/b": [1, 3]}, {"a/b": [1, 2], "c/d": [1, 2]})
    }
    assert len(revisions) == 3


def test_echo_has_a_price_under_any_name_of_its_type() -> None:
    prices = book(providers={"parrot": Provider(type="echo")})
    assert prices.find("parrot", "x") is prices.find("echo", "echo") is ECHO


def test_an_unknown_model_has_no_price() -> None:
    prices = book(providers=openai())
    assert prices.find("openai", "no-such-model") is None
    assert prices.find("nobody", "gpt-4o-mini") is None


@pytest.mark.case(9)
@pytest.mark.parametrize(
    ("prices", "place"),
    [
        ({"openai/x": [-1, 2]}, "billing.prices.openai/x: the input price -1"),
        ({"openai/x": [1, MAX_PRICE + 1]}, "billing.prices.openai/x: the output price"),
        ({"nomodel": [1, 2]}, "billing.prices.nomodel: the name must be PROVIDER/MODEL"),
        ({"/x": [1, 2]}, "billing.prices./x: the name must be"),
    ],
)
def test_a_price_that_cannot_be_believed_stops_the_start_with_its_place(
    prices: dict[str, list[int]], place: str
) -> None:
    with pytest.raises(PlatformError) as caught:
        book(billing=Billing.model_construct(prices=prices))
    assert place in caught.value.message


@pytest.mark.case(9)
@pytest.mark.parametrize("value", ["NaN", "-1", "Infinity", "10001"])
def test_a_malformed_price_of_the_catalogue_is_not_believed(value: str) -> None:
    from genai_prices.types import ModelPrice

    with pytest.raises(UnbelievablePriceError):
        model_price("r", ModelPrice(input_mtok=Decimal(value), output_mtok=Decimal(1)))


@pytest.mark.case(9)
def test_a_model_of_the_catalogue_without_a_price_of_input_has_none() -> None:
    from genai_prices.types import ModelPrice

    assert model_price("r", ModelPrice()) is None
    assert model_price("r", ModelPrice(output_mtok=Decimal(1))) is None


def test_the_whole_catalogue_can_be_believed() -> None:
    from genai_prices.data_snapshot import get_snapshot

    count = 0
    for provider in get_snapshot().providers:
        for model in provider.models:
            for prices in [each.prices for each in model.prices] if isinstance(model.prices, list) else [model.prices]:
                count += model_price("r", prices) is not None
    assert count > 1_000


def test_a_price_that_changes_with_the_hour_is_looked_up_each_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [60.0]
    prices = PriceBook(Config(), clock=lambda: now[0])
    answers = iter([flat_price("a", 1, 1), flat_price("b", 2, 2)])
    monkeypatch.setattr(prices, "_look_up", lambda *_: next(answers))
    assert [prices.find("x", "y").revision for _ in range(2)] == ["a", "a"]  # type: ignore[union-attr]
    now[0] += 60
    assert prices.find("x", "y").revision == "b"  # type: ignore[union-attr]


def test_a_provider_that_only_heads_store_defines_has_the_price_of_what_it_is() -> None:
    prices = book(providers=openai(), billing=Billing(prices={"priced/*": [3, 4]}))
    assert prices.find("new", "echo") is None
    assert prices.find("new", "echo", api="echo") == ECHO
    assert prices.find("new", "echo") == ECHO  # whoever asks without it
    known = prices.find("openai", "gpt-4o-mini")
    assert known is not None
    assert prices.find("elsewhere", "gpt-4o-mini", api="https://api.openai.com/v1") == known
    own = prices.find("priced", "m", api="echo")
    assert own is not None
    assert own != ECHO


def test_a_provider_that_is_defined_otherwise_for_a_while_keeps_its_own_price() -> None:
    prices = book(providers=openai())
    known = prices.find("openai", "gpt-4o-mini")
    assert prices.find("openai", "gpt-4o-mini", api="echo") == ECHO
    assert prices.find("openai", "gpt-4o-mini") == known
