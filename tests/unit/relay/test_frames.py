from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_platform.proto import inference_pb2
from llm_platform.relay import frames
from tests.unit.relay.peers import message

any_frame = st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=300))


@given(st.lists(any_frame, max_size=20))
def test_frames_of_any_kind_come_back_as_they_were_written(written: list[tuple[int, int, int, bytes]]) -> None:
    parts: list[bytes | memoryview] = []
    for kind, flags, stream, payload in written:
        parts += [frames.header(kind, flags, stream, len(payload)), memoryview(payload)]
    assert list(frames.decode(frames.encode(parts))) == written


@given(st.binary(max_size=500))
def test_garbage_is_decoded_or_refused_but_nothing_else(garbage: bytes) -> None:
    for sent in (garbage, message(garbage)):
        try:
            for _ in frames.decode(sent):
                pass
        except frames.ProtocolError:
            pass


@pytest.mark.parametrize("length", [11, 2**20, 2**32 - 1])
def test_a_length_beyond_the_message_is_refused_before_anything_is_copied(length: int) -> None:
    with pytest.raises(frames.ProtocolError, match=f"a frame of {length} bytes in a message with 10 left"):
        list(frames.decode(message(struct.pack(">BBII", frames.DATA, 0, 1, length) + b"x" * 10)))


def test_a_header_cut_short_is_refused_after_the_frames_before_it() -> None:
    decoded = frames.decode(message(frames.frame(frames.PING), b"\x04\x00\x00"))
    assert next(decoded) == (frames.PING, 0, 0, b"")
    with pytest.raises(frames.ProtocolError, match="cut short"):
        next(decoded)


def test_a_batch_with_fields_of_a_later_release_is_read() -> None:
    later = message(frames.frame(frames.PING)) + b"\x12\x03new"
    assert [kind for kind, *_ in frames.decode(later)] == [frames.PING]


def test_a_hello_needs_a_protocol_version() -> None:
    with pytest.raises(frames.ProtocolError, match="without a protocol version"):
        frames.decode_hello(inference_pb2.Hello(replica="head-1").SerializeToString())


def test_a_hello_that_is_no_message_is_refused() -> None:
    with pytest.raises(frames.ProtocolError, match="cannot be read"):
        frames.decode_hello(b"\xff\xff\xff")


def test_credit_of_a_later_release_may_carry_more() -> None:
    assert frames.decode_credit(frames.encode_credit(70_000) + b"more") == 70_000
    with pytest.raises(frames.ProtocolError):
        frames.decode_credit(b"\x00")
