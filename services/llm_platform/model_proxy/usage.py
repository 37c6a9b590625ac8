"""Tokens of a provider call: as the provider counts them, or estimated by us where it did not say.

OpenAI's shape: cached and cache-write tokens are part of ``prompt_tokens``, reasoning tokens of
``completion_tokens``; none of them is added again. The last usage of a stream wins. It comes in a chunk of
its own with ``choices: []``, or, from other providers, in the last chunk that has choices.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from llm_platform.core.tokens import tokens_of
from llm_platform.model_proxy.request_ids import id_in_body
from llm_platform.proto import common_pb2

Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

# A key cannot be forged inside a JSON string: there its quotes would be escaped.
_USAGE_OBJECT = re.compile(rb'"usage"\s*:\s*\{')
_TEXT = re.compile(
    rb'"(?:content|reasoning_content|reasoning|refusal|arguments|text)"\s*:\s*"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL
)


class _PromptDetails(msgspec.Struct):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    audio_tokens: Tokens | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: Tokens | None = None
    audio_tokens: Tokens | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Reply(msgspec.Struct):
    choices: list[msgspec.Raw] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")
    id: object = ""


_decode = msgspec.json.Decoder(_Reply).decode
_NOTHING = {b"null", b"false", b"0", b'""', b"{}", b"[]"}


class Reading(msgspec.Struct, frozen=True):
    """What matters of one JSON object of a provider, be it a buffered reply or a chunk."""

    usage: common_pb2.Usage | None
    has_choices: bool
    error: bytes | None
    """The JSON of a truthy ``error``."""
    id: str
    """The provider's own; empty: it has none."""


def mentions_usage(block: bytes) -> bool:
    """Whether a usage object may be in it; cheap, and never wrong about a usage that is there."""
    return _USAGE_OBJECT.search(block) is not None


def text_bytes(block: bytes) -> int:
    """Bytes of generated text in raw JSON, as escaped: what an estimate is made of."""
    return sum(map(len, _TEXT.findall(block)))


def read(data: bytes) -> Reading:
    """Reads one JSON object. A usage that makes no sense counts as none; raises ``ValueError`` if it is no object."""
    try:
        reply = _decode(data)
    except msgspec.ValidationError:
        return Reading(None, has_choices=True, error=None, id=id_in_body(data))
    except msgspec.DecodeError as error:
        raise ValueError("not a JSON object") from error
    error_json = bytes(reply.error)
    return Reading(
        _tokens(reply.usage) if reply.usage is not None else None,
        bool(reply.choices),
        None if error_json in _NOTHING else error_json,
        reply.id if isinstance(reply.id, str) else "",
    )


def estimate(body_bytes: int, prompt_bound: int, output_bytes: int, output_limit: int) -> common_pb2.Usage:
    """By bytes (``core/tokens.py``), for calls whose provider gave no usage.

    ``prompt_bound`` and ``output_limit`` (0: none) are never passed: a call costs no more than was reserved for it.
    ``body_bytes`` is 0 for a request that was not fully written.
    """
    prompt = tokens_of(body_bytes)
    output = tokens_of(output_bytes)
    return common_pb2.Usage(
        input_tokens=min(prompt, prompt_bound) if prompt_bound else prompt,
        output_tokens=min(output, output_limit) if output_limit else output,
    )


def _tokens(usage: _Usage) -> common_pb2.Usage | None:
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    prompt = usage.prompt_tokens_details or _PromptDetails()
    completion = usage.completion_tokens_details or _CompletionDetails()
    return common_pb2.Usage(
        input_tokens=usage.prompt_tokens or 0,
        cached_input_tokens=prompt.cached_tokens or 0,
        cache_write_tokens=prompt.cache_write_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        reasoning_tokens=completion.reasoning_tokens or 0,
        input_audio_tokens=prompt.audio_tokens or 0,
        output_audio_tokens=completion.audio_tokens or 0,
    )
