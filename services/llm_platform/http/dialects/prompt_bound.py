"""An upper bound of a prompt's tokens, from its bytes: there is no tokenizer on the request path.

A token is at least one byte, and the JSON around a message is longer than the tokens that a chat
template puts around it, so the length of the body bounds its text. Media is the exception: its tokens
do not follow from its bytes. Each image counts as IMAGE_TOKENS (the dearest image of OpenAI's price
list, 2048 x 2048 in high detail on gpt-4o-mini, is 48,169 tokens), and inline audio as one token for
AUDIO_BYTES_PER_TOKEN bytes of base64 (8 kbit/s MP3 at 32 tokens a second is one for 42). A file that
is only named, by the id that the provider gave it, counts as FILE_TOKENS: a hundred pages of text, and
an image of each. One that is sent along is bounded by its bytes.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

IMAGE_TOKENS = 50_000
FILE_TOKENS = 250_000
AUDIO_BYTES_PER_TOKEN = 16


_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
"""A name written with escapes is the same name: ``image\\u005furl``."""


class _Message(msgspec.Struct, gc=False):
    # Any shape: one odd part must not hide the images beside it.
    content: Any = None


class _Body(msgspec.Struct, gc=False):
    messages: list[_Message]


_decode = msgspec.json.Decoder(_Body).decode


def prompt_tokens_bound(body: bytes) -> int:
    """The bound for a chat body."""
    if not _may_hold_media(body):
        return len(body)
    try:
        messages = _decode(body).messages
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return len(body)
    parts = (part for message in messages if isinstance(message.content, list) for part in message.content)
    return len(body) + sum(_correction(part) for part in parts if isinstance(part, dict))


def _may_hold_media(body: bytes) -> bool:
    if b'"image_url"' in body or b'"input_audio"' in body or b'"file_id"' in body:
        return True
    return b"\\u00" in body and _ESCAPED_LETTER.search(body) is not None


def _correction(part: dict[str, Any]) -> int:
    """What a media part counts, less what its bytes already count."""
    image = part.get("image_url")
    if image is not None:
        return IMAGE_TOKENS - _length(image.get("url") if isinstance(image, dict) else image)
    audio = part.get("input_audio")
    if isinstance(audio, dict):
        data = _length(audio.get("data"))
        return data // AUDIO_BYTES_PER_TOKEN - data
    file = part.get("file")
    return FILE_TOKENS if isinstance(file, dict) and file.get("file_id") else 0


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else 0
