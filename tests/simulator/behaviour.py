"""How the simulator answers.

A model named ``NAME+field=value+field=value`` is answered so; ``PUT /behaviour/NAME`` with a JSON object sets it for
a model from then on. The fields are those of ``Behaviour``.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The default is a well-behaved provider that answers at once. Times are seconds."""

    fail: int = 0
    """The first ``fail`` calls of this model fail with ``status``; -1: all."""
    status: int = 500
    retry_after: str = ""
    retry_after_ms: str = ""
    should_retry: str = ""
    code: str = ""
    """``error.code`` of the failure."""
    message: str = ""
    """``error.message`` of the failure; ``{key}`` stands for the key that was sent."""
    refuse_connection: int = 0
    """The first calls are cut without any answer, after the request was read."""
    first_byte: float = 0
    """Delay before anything is answered."""
    pace: float = 0
    """Delay before each chunk."""
    tokens: int = 8
    """Output tokens, one a chunk."""
    usage: Literal["own_chunk", "last_choice", "every_chunk", "none"] = "own_chunk"
    """Where a stream says its usage: in a chunk with ``choices: []``, or beside the last choice, or growing in each."""
    uncounted: bool = False
    """Its usage has no tokens for what it says."""
    always_usage: bool = False
    """Says usage in a stream even if it was not asked to."""
    stall_after: int = -1
    """After so many chunks nothing more comes, but the connection stays."""
    cut_after: int = -1
    """After so many chunks (0: none, in a buffered answer half of the body) the connection is cut."""
    error_after: int = -1
    """After so many chunks the stream says an error."""
    done: bool = True
    """Whether a stream ends with ``[DONE]``."""
    split: int = 0
    """Bytes per write to the socket; 0: one event a write."""
    crlf: bool = False
    comments: bool = False
    """Comments and blank ``data:`` lines between the events."""
    line: int = 0
    """Bytes of text in the first chunk."""
    garbage: bool = False
    """Answers with something that is no HTTP."""
    keep_alive: bool = True
    request_id: str = ""
    """Its header ``x-request-id``, also of streams and failures; empty: only a whole answer has it, its own ``id``."""
    ignore_stream: bool = False
    """Answers a request for a stream with a whole completion."""


def behaviour_of(model: str, chosen: dict[str, Behaviour]) -> Behaviour:
    """Raises ``ValueError`` for a field that does not exist or a value of the wrong type."""
    name, *fields = model.split("+")
    base = chosen.get(model) or chosen.get(name)
    if not fields:
        return base or Behaviour()
    given = dict(field.partition("=")[::2] for field in fields)
    settings = (msgspec.structs.asdict(base) if base else {}) | given
    try:
        return msgspec.convert(settings, Behaviour, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"model {model}: {error}") from error
