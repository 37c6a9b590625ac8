"""An upper bound of a prompt's tokens, from its bytes: there is no tokenizer on the request path.

A token is at least one byte, and the JSON around a message is longer than the tokens that a chat
template puts around it, so the length of the body bounds its text. Media is the exception: its tokens
do not follow from its bytes. Each image counts as IMAGE_TOKENS (the dearest image of OpenAI's price
list, 2048 x 2048 in high detail on gpt-4o-mini, is 48,169 tokens), and inline audio as one token for
AUDIO_BYTES_PER_TOKEN bytes of base64 (8 kbit/s MP3 at 32 tokens a second is one for 42).
"""

from __future__ import annotations

import msgspec

IMAGE_TOKENS = 50_000
AUDIO_BYTES_PER_TOKEN = 16


class _ImageUrl(msgspec.Struct, gc=False):
    url: str = ""


class _Audio(msgspec.Struct, gc=False):
    data: str = ""


class _Part(msgspec.Struct, gc=False):
    image_url: _ImageUrl | str | None = None
    input_audio: _Audio | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[_Part] | str | None = None


class _Body(msgspec.Struct, gc=False):
    messages: list[_Message]


_decode = msgspec.json.Decoder(_Body).decode


def prompt_tokens_bound(body: bytes) -> int:
    """The bound for a chat body. What cannot be read as media counts as text."""
    if b'"image_url"' not in body and b'"input_audio"' not in body:
        return len(body)
    try:
        messages = _decode(body).messages
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return len(body)
    bound = len(body)
    for message in messages:
        if isinstance(message.content, list):
            bound += sum(map(_correction, message.content))
    return bound


def _correction(part: _Part) -> int:
    """What a media part counts, less what its bytes already count."""
    if part.image_url is not None:
        url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
        return IMAGE_TOKENS - len(url)
    if part.input_audio is not None:
        data = len(part.input_audio.data)
        return data // AUDIO_BYTES_PER_TOKEN - data
    return 0
