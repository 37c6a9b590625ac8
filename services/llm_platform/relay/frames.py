"""The frames of the relay: what two peers say to each other, and its layout (docs/relay.md).

A gRPC message is a ``Batch`` whose bytes are frames one after the other. A frame never spans two
messages. Its header, in network byte order::

    kind u8 | flags u8 | stream u32 | length u32 | payload (length bytes)

Stream 0 is the link itself. Kinds and flags not known here are skipped or ignored, so that two
releases interwork.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from llm_platform.proto import inference_pb2

METHOD: Final = "/llm.v1.Relay/Connect"

VERSION: Final = 2
"""1: everything but the following. 2: a client confirms a drain (``CONFIRMS_DRAIN``)."""
CONFIRMS_DRAIN: Final = "confirms-drain"
"""Capability: answers a drain with a drain, after which it opens nothing more on this link."""

HELLO: Final = 1
"""``inference_pb2.Hello``, the first frame in both directions."""
OPEN: Final = 2
"""``inference_pb2.Open``; the body follows as data."""
START: Final = 3
"""``inference_pb2.Start``: status and headers are decided."""
DATA: Final = 4
"""Opaque bytes of a body, at most ``MAX_FRAME_BYTES``; the only kind that takes credit."""
END: Final = 5
"""``inference_pb2.End``: the reply is complete."""
ERROR: Final = 6
"""``common_pb2.Error``: the call failed or broke off."""
CANCEL: Final = 7
"""The client no longer wants the reply."""
CREDIT: Final = 8
"""u32: this many bytes more may be sent on the stream."""
DRAIN: Final = 9
"""From a server: open nothing more here. From a client: confirmed."""
PING: Final = 10
"""Opaque bytes that the pong repeats."""
PONG: Final = 11

LAST: Final = 1
"""On data from a client: the body is complete."""
PART: Final = 2
"""On data: the chunk goes on in the stream's next data frame."""
REFUSED: Final = 4
"""On an error: the call was not begun, another replica may be asked."""

MAX_FRAME_BYTES: Final = 64 * 1024
MAX_BATCH_BYTES: Final = 256 * 1024
"""No frame is added to a message that reached this size."""

_HEADER: Final = struct.Struct(">BBII")
_CREDIT: Final = struct.Struct(">I")
_unpack_header = _HEADER.unpack_from

HEADER_BYTES: Final = _HEADER.size

header = _HEADER.pack
"""``header(kind, flags, stream, length)``"""


class ProtocolError(Exception):
    """The peer sent what no release of the relay sends."""


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    """One frame as bytes."""
    return header(kind, flags, stream, len(payload)) + payload


def encode(parts: list[bytes | memoryview]) -> bytes:
    """A message of headers and payloads."""
    return inference_pb2.Batch(frames=b"".join(parts)).SerializeToString()


def decode(message: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The frames of a message, in the order of ``Frame``.

    Lengths are checked against what is there before anything is copied. Raises ``ProtocolError``.
    """
    try:
        frames = inference_pb2.Batch.FromString(message).frames
    except DecodeError as error:
        raise ProtocolError("a message that is no batch") from error
    at, size = 0, len(frames)
    while at < size:
        if size - at < HEADER_BYTES:
            raise ProtocolError("a frame cut short in its header")
        kind, flags, stream, length = _unpack_header(frames, at)
        at += HEADER_BYTES
        if length > size - at:
            raise ProtocolError(f"a frame of {length} bytes in a message with {size - at} left")
        yield kind, flags, stream, frames[at : at + length]
        at += length


def encode_credit(credit: int) -> bytes:
    return _CREDIT.pack(credit)


def decode_credit(payload: bytes) -> int:
    """Raises ``ProtocolError``."""
    if len(payload) < _CREDIT.size:
        raise ProtocolError("a credit without its amount")
    credit: int = _CREDIT.unpack_from(payload)[0]
    return credit


def decode_hello(payload: bytes) -> inference_pb2.Hello:
    """Raises ``ProtocolError``."""
    try:
        hello = inference_pb2.Hello.FromString(payload)
    except DecodeError as error:
        raise ProtocolError("a hello that cannot be read") from error
    if hello.protocol_version < 1:
        raise ProtocolError("a hello without a protocol version")
    return hello
