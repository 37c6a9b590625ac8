"""The provider's own id of a call: its header ``x-request-id``, else the ``id`` of what it answers."""

from __future__ import annotations

import msgspec

from llm_platform.http.client.client import Response
from llm_platform.http.sse import data_of, events


class _Answer(msgspec.Struct):
    id: str = ""


_decode = msgspec.json.Decoder(_Answer).decode


def id_in_head(response: Response) -> str:
    """Empty: it has none."""
    return response.header(b"x-request-id") or ""


def id_in_body(body: bytes) -> str:
    """Of a JSON object; empty: it has none, or is no such thing."""
    try:
        return _decode(body).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def id_in_events(block: bytes) -> str:
    """Of the first event with data."""
    return next((id_in_body(data) for data in map(data_of, events(block)) if data), "")
