"""OpenAI's dialect: what is read of a call, and how failures are worded."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_platform.core.errors import Code, PlatformError
from llm_platform.http.dialects.openai import OpenAI
from llm_platform.http.dialects.prompt_bound import FILE_TOKENS, IMAGE_TOKENS, prompt_tokens_bound

OPENAI = OpenAI()
MESSAGES = [{"role": "user", "content": "hi"}]


def body(**fields: Any) -> bytes:
    return json.dumps({"messages": MESSAGES, **fields}).encode()


def refusal(raw: bytes) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        OPENAI.read(raw)
    assert caught.value.code is Code.INVALID_REQUEST
    return caught.value


def test_the_head_of_a_call_is_read_and_the_rest_left_alone() -> None:
    head = OPENAI.read(body(model="m", stream=True, stream_options={"include_usage": True}, max_tokens=7, unknown=[1]))
    assert (head.model, head.stream, head.usage_wanted, head.max_output_tokens) == ("m", True, True, 7)


def test_a_call_without_options_gets_defaults() -> None:
    head = OPENAI.read(body())
    assert (head.model, head.stream, head.usage_wanted, head.max_output_tokens) == ("", False, False, 0)


def test_null_options_count_as_not_given() -> None:
    head = OPENAI.read(body(model=None, stream=None, stream_options=None, max_tokens=None, n=None))
    assert (head.model, head.stream, head.max_output_tokens) == ("", False, 0)


@pytest.mark.parametrize(("older", "newer"), [(5, 10), (10, 5), (None, 10), (10, None)])
def test_the_larger_output_limit_is_the_bound_and_counts_for_every_choice(older: int | None, newer: int | None) -> None:
    head = OPENAI.read(body(max_tokens=older, max_completion_tokens=newer, n=3))
    assert head.max_output_tokens == 30


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": "x" * 300}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": 1}]}, "messages[0].role"),
        ({"stream_options": {"include_usage": "x"}}, "stream_options.include_usage"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    error = refusal(body(**fields))
    assert error.param == param
    assert param in error.message


def test_missing_messages_are_named() -> None:
    assert refusal(b'{"model":"m"}').param == "messages"


@pytest.mark.case(27)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"messages":[{"role":"user"}]} trailing',
        b'{"messages":[{"role":"user"}],"temperature":NaN}',
        b'{"messages":[{"role":"user"}],"x":Infinity}',
        b'{"messages":[{"role":"user","content":"\xff"}]}',
        b'{"messages":[{"role":"\xff"}]}',
        b'{"messages":[{"role":"user","content":"\\ud800"}]}',
        b"\xef\xbb\xbf{}",
        b'{"messages":[{"role":"user"}],"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    ],
    ids=lambda raw: repr(raw[:50]),
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    refusal(raw)


@pytest.mark.case(27)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_do_anything_but_parse_or_be_refused(raw: bytes) -> None:
    with contextlib.suppress(PlatformError):
        OPENAI.read(raw)


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_has_openais_four_fields(code: Code) -> None:
    error = json.loads(OPENAI.error(PlatformError(code, "What is wrong.")))["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"] == "What is wrong."
    assert error["type"]
    assert error["code"]


def test_a_spent_budget_is_named_so_that_the_sdk_does_not_retry() -> None:
    assert json.loads(OPENAI.error(PlatformError(Code.BUDGET_EXCEEDED, "Spent.")))["error"]["code"].endswith(
        "_spend_limit_exceeded"
    )


def test_an_error_event_is_one_sse_event_with_a_truthy_error() -> None:
    event = OPENAI.error_event(PlatformError(Code.PROVIDER_FAILED, "Line one\nline two"))
    assert event.startswith(b"data: ")
    assert event.endswith(b"\n\n")
    assert event.count(b"\n") == 2
    assert json.loads(event[6:])["error"]["code"] == "provider_failed"


def test_text_is_bounded_by_its_bytes() -> None:
    raw = body()
    assert prompt_tokens_bound(raw) == len(raw)


def test_an_image_counts_a_fixed_number_whatever_its_bytes() -> None:
    def bound(url: str) -> int:
        return prompt_tokens_bound(
            json.dumps(
                {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
            ).encode()
        )

    small, large = bound("https://a/b.png"), bound("data:image/png;base64," + "A" * 1_000_000)
    assert small == large
    assert IMAGE_TOKENS < small < IMAGE_TOKENS + 200


def test_inline_audio_counts_less_than_its_base64() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "A" * 160_000, "format": "mp3"}}
    raw = json.dumps({"messages": [{"role": "user", "content": [part]}]}).encode()
    assert 10_000 <= prompt_tokens_bound(raw) < 11_000


@pytest.mark.parametrize(
    "parts",
    [
        r'{"type": "image_url", "image_url": {"url": "https://a/b"}}',
        r'{"type": "text", "text": "x", "image_url": 5}',
        r'{"type": "image\u005furl", "image\u005Furl": {"url": "https://a/b"}}',
        r'5, {"type": "text", "text": 5}, {"type": "image_url", "image_url": {"url": 5}}',
        r'{"type": "text", "input_audio": 5}, {"type": "image_url", "image_url": "https://a/b"}',
    ],
)
def test_an_image_counts_however_it_and_its_neighbours_are_written(parts: str) -> None:
    raw = f'{{"messages": [{{"role": "user", "content": [{parts}]}}]}}'.encode()
    assert OPENAI.read(raw).prompt_tokens_bound > IMAGE_TOKENS


@pytest.mark.parametrize("name", ["file_id", r"file\u005fid"])
def test_a_file_that_is_only_named_counts_what_it_may_hold(name: str) -> None:
    raw = f'{{"messages": [{{"role": "user", "content": [{{"type": "file", "file": {{"{name}": "file-1"}}}}]}}]}}'
    assert FILE_TOKENS < prompt_tokens_bound(raw.encode()) < FILE_TOKENS + 200
    sent_along = raw.replace(name, "file_data")
    assert prompt_tokens_bound(sent_along.encode()) == len(sent_along)


def test_parts_that_are_no_media_count_as_text() -> None:
    raw = json.dumps({"messages": [{"role": "user", "content": [5, {"text": "input_audio"}, {"input_audio": 5}]}]})
    assert prompt_tokens_bound(raw.encode()) == len(raw)
