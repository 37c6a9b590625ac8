"""Estimates of tokens."""

from __future__ import annotations

import pytest

from llm_platform.core.tokens import estimated_tokens, tokens_of


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_a_token_is_four_bytes_a_part_of_one_counts(size: int, tokens: int) -> None:
    assert tokens_of(size) == tokens


@pytest.mark.parametrize(
    ("max_output", "choices", "tokens"),
    [(50, 1, 150), (50, 3, 150), (0, 1, 4_196), (0, 3, 12_388), (0, 0, 4_196)],
)
def test_a_call_is_its_prompt_and_what_it_may_be_answered(max_output: int, choices: int, tokens: int) -> None:
    assert estimated_tokens(400, max_output=max_output, default_output=4_096, choices=choices) == tokens
