"""Server-sent events as bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_platform.http.sse import EventSplitter, EventTooLargeError, data_of, events

STREAM = (
    ": a comment\n\n"
    'data: {"text":"Grüße 世界 🌍"}\n\n'
    "data:\n\n"
    "event: error\ndata: one\ndata: two\n\n"
    "id: 7\ndata:no space\n\n"
    "data: [DONE]\n\n"
).encode()


def fed(parts: list[bytes]) -> list[bytes]:
    splitter = EventSplitter()
    blocks = [block for part in parts if (block := splitter.feed(part))]
    assert not splitter.rest()
    assert all(block.endswith(b"\n\n") for block in blocks)
    return list(events(b"".join(blocks)))


@given(st.lists(st.integers(0, len(STREAM) * 2), max_size=20), st.sampled_from([b"\n", b"\r\n"]))
def test_events_come_whole_however_the_bytes_are_cut(cuts: list[int], line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parts = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert fed(parts) == list(events(STREAM))


def test_a_block_that_is_whole_is_passed_on_as_it_came() -> None:
    assert EventSplitter().feed(STREAM) is STREAM


def test_lines_may_end_in_a_bare_carriage_return() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: 1\r\rdata: 2\r") == b"data: 1\n\n"
    assert splitter.feed(b"\rdata: 3") == b"data: 2\n\n"
    assert splitter.rest() == b"data: 3"


def test_a_byte_order_mark_at_the_start_is_dropped() -> None:
    assert EventSplitter().feed(b"\xef\xbb\xbfdata: 1\n\n") == b"data: 1\n\n"


def test_data_is_joined_from_its_lines_and_comments_have_none() -> None:
    assert [data_of(event) for event in events(STREAM)] == [
        b"",
        '{"text":"Grüße 世界 🌍"}'.encode(),
        b"",
        b"one\ntwo",
        b"no space",
        b"[DONE]",
    ]


@pytest.mark.case(18)
def test_a_long_line_is_searched_once_and_bounded() -> None:
    splitter = EventSplitter(limit=2_000_000)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == b""
    assert len(splitter.feed(b"\n\n")) == 1_000_002
    splitter.feed(b"y" * 1_500_000)
    with pytest.raises(EventTooLargeError):
        splitter.feed(b"y" * 1_500_000)
