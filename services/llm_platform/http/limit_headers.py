"""The ``x-ratelimit-*`` headers, as OpenAI names and writes them."""

from __future__ import annotations

from llm_platform.proto import limiter_pb2

_HEADERS = {
    kind: (f"x-ratelimit-limit-{kind}", f"x-ratelimit-remaining-{kind}", f"x-ratelimit-reset-{kind}")
    for kind in ("requests", "tokens")
}


def write_headers(reply: limiter_pb2.AcquireReply, headers: dict[str, str], ahead: int = 0) -> None:
    """``ahead``: requests that were taken and may still be made."""
    if reply.requests.limit:
        state = reply.requests
        write_state(headers, "requests", state.limit, state.remaining + ahead, state.reset_ms)
    if reply.tokens.limit:
        state = reply.tokens
        write_state(headers, "tokens", state.limit, state.remaining, state.reset_ms)


def write_state(headers: dict[str, str], kind: str, limit: int, remaining: int, reset_ms: int) -> None:
    limit_name, remaining_name, reset_name = _HEADERS[kind]
    headers[limit_name] = str(limit)
    headers[remaining_name] = str(remaining)
    headers[reset_name] = _duration(reset_ms)


def _duration(milliseconds: int) -> str:
    """As OpenAI writes it: ``20ms``, ``1.5s``."""
    return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:g}s"
