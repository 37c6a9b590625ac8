"""The price of a model: integer pico-dollars a token, by kind of token and tier."""

from __future__ import annotations

from dataclasses import dataclass

from llm_platform.proto import common_pb2

MAX_PRICE = 10_000_000_000
"""Pico-dollars a token ($10,000 a million tokens). Nothing costs a tenth of it; more is a mistake."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars a token; ``request`` a call."""

    input: int
    cached_input: int
    cache_write: int
    input_audio: int
    output: int
    reasoning: int
    output_audio: int
    request: int = 0

    @classmethod
    def flat(cls, input_: int, output: int) -> Rates:
        """Every kind of token at the price of its direction."""
        return cls(input_, input_, input_, input_, output, output, output)

    @property
    def highest_input(self) -> int:
        return max(self.input, self.cached_input, self.cache_write, self.input_audio)

    @property
    def highest_output(self) -> int:
        return max(self.output, self.reasoning, self.output_audio)


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of *all* tokens of a call with more than ``above`` input tokens; the first tier has -1."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one model at one time, and where it came from."""

    revision: str
    tiers: tuple[Tier, ...]

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """Pico-dollars that no call with at most these tokens passes, whatever they turn out to be."""
        return max(
            input_tokens * tier.rates.highest_input + output_tokens * tier.rates.highest_output + tier.rates.request
            for tier in self.tiers
            if tier.above < input_tokens or tier.above < 0
        )

    def cost(self, usage: common_pb2.Usage) -> int:
        """Pico-dollars. Each token is counted once, at the price of what it is.

        Cached, cache-write and audio tokens are parts of the input, reasoning and audio tokens of the
        output. Parts that add up to more than the whole are cut to it.
        """
        input_tokens, output_tokens = usage.input_tokens, usage.output_tokens
        rates = self.tiers[0].rates if len(self.tiers) == 1 else self._rates(input_tokens)
        if not input_tokens and not output_tokens:
            return 0
        cached = min(usage.cached_input_tokens, input_tokens)
        written = min(usage.cache_write_tokens, input_tokens - cached)
        heard = min(usage.input_audio_tokens, input_tokens - cached - written)
        thought = min(usage.reasoning_tokens, output_tokens)
        spoken = min(usage.output_audio_tokens, output_tokens - thought)
        return (
            (input_tokens - cached - written - heard) * rates.input
            + cached * rates.cached_input
            + written * rates.cache_write
            + heard * rates.input_audio
            + (output_tokens - thought - spoken) * rates.output
            + thought * rates.reasoning
            + spoken * rates.output_audio
            + rates.request
        )

    def _rates(self, input_tokens: int) -> Rates:
        return next(tier.rates for tier in reversed(self.tiers) if input_tokens > tier.above)


def flat_price(revision: str, input_: int, output: int) -> Price:
    return Price(revision, (Tier(-1, Rates.flat(input_, output)),))
