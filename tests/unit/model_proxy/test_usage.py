"""Reading and estimating tokens."""

from __future__ import annotations

import msgspec
import pytest

from llm_platform.model_proxy import usage

FULL = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 5, "audio_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 4, "accepted_prediction_tokens": 1},
}


def encoded(**fields: object) -> bytes:
    return msgspec.json.encode(fields)


@pytest.mark.case(3)
def test_every_kind_of_token_is_read_once() -> None:
    tokens = usage.read(encoded(usage=FULL, choices=[])).usage
    assert tokens is not None
    assert (tokens.input_tokens, tokens.cached_input_tokens, tokens.cache_write_tokens) == (100, 60, 5)
    assert (tokens.output_tokens, tokens.reasoning_tokens) == (50, 20)
    assert (tokens.input_audio_tokens, tokens.output_audio_tokens) == (3, 4)


@pytest.mark.parametrize(
    "details", [{}, {"prompt_tokens_details": None}, {"prompt_tokens_details": {"cached_tokens": None}}]
)
def test_details_may_be_absent_or_null(details: dict[str, object]) -> None:
    tokens = usage.read(encoded(usage={"prompt_tokens": 7, "completion_tokens": 0} | details)).usage
    assert tokens is not None
    assert (tokens.input_tokens, tokens.cached_input_tokens) == (7, 0)


@pytest.mark.case(9)
@pytest.mark.parametrize(
    "nonsense",
    [
        {"prompt_tokens": -1},
        {"prompt_tokens": "7"},
        {"prompt_tokens": 2**60},
        {"prompt_tokens": 1.5},
        {},
        {"a": 1},
        [],
        "x",
    ],
)
def test_a_usage_that_makes_no_sense_is_none(nonsense: object) -> None:
    assert usage.read(encoded(usage=nonsense)).usage is None


def test_an_error_counts_when_it_is_truthy() -> None:
    for nothing in (None, False, "", {}, [], 0):
        assert usage.read(encoded(error=nothing)).error is None
    assert usage.read(encoded(error={"message": "x"})).error == b'{"message":"x"}'


@pytest.mark.parametrize("data", [b"[1]", b"7", b'"x"'])
def test_what_is_no_object_says_nothing(data: bytes) -> None:
    assert usage.read(data).usage is None


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"{} x"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        usage.read(data)


def test_a_text_that_speaks_of_usage_is_not_taken_for_one() -> None:
    spoken = msgspec.json.encode({"content": '"usage": {"prompt_tokens": 9}'})
    assert not usage.mentions_usage(spoken)
    assert usage.mentions_usage(b'{"usage" : {"prompt_tokens":1}}')
    assert not usage.mentions_usage(b'{"usage":null}')


def test_text_is_counted_in_content_arguments_and_reasoning() -> None:
    block = b'data: {"content":"hello","x":"not me"}\n\ndata: {"arguments":"{\\"a\\":1}","reasoning_content":"abc"}\n\n'
    assert usage.text_bytes(block) == 5 + 9 + 3


@pytest.mark.case(8)
def test_an_estimate_never_passes_what_was_reserved() -> None:
    assert usage.estimate(401, 0, 41, 0).input_tokens == 101
    assert usage.estimate(401, 0, 41, 0).output_tokens == 11
    bounded = usage.estimate(4000, 50, 4000, 7)
    assert (bounded.input_tokens, bounded.output_tokens) == (50, 7)


@pytest.mark.parametrize(("given", "found"), [("chatcmpl-1", "chatcmpl-1"), (7, ""), (None, ""), ({"id": "x"}, "")])
def test_the_answers_id_is_read_beside_its_usage(given: object, found: str) -> None:
    reading = usage.read(encoded(id=given, choices=[{"id": "no"}], usage={"prompt_tokens": 7}))
    assert (reading.id, reading.usage is not None) == (found, True)
    assert usage.read(encoded(id=given, choices=7)).id == found
