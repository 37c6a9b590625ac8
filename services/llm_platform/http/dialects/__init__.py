"""The API dialects that callers speak. The path of a request decides which one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from llm_platform.core.errors import PlatformError
from llm_platform.proto import routing_pb2


class CallHead(msgspec.Struct, frozen=True, gc=False):
    """What the platform needs to know of an inference call; everything else stays opaque bytes."""

    model: str
    """As the caller named it; empty: none named."""
    stream: bool
    usage_wanted: bool
    """The caller asked for usage in the stream."""
    max_output_tokens: int
    """Over all choices; 0: the caller gave none."""
    choices: int
    prompt_tokens_bound: int
    """No tokenizer counts more than this for the prompt."""


class Dialect(Protocol):
    """How one API reads calls and words errors."""

    name: str

    def read(self, body: bytes) -> CallHead:
        """Reads the head of a call. Raises ``PlatformError`` INVALID_REQUEST naming the field at fault."""
        ...

    def error(self, error: PlatformError) -> bytes:
        """The body of an error reply."""
        ...

    def error_event(self, error: PlatformError) -> bytes:
        """The event that ends a stream which broke off after its first byte."""
        ...

    def models(self, models: Sequence[routing_pb2.Model]) -> bytes:
        """The list of models."""
        ...

    def model(self, model: routing_pb2.Model) -> bytes:
        """One model."""
        ...
