"""A refusal as the caller may see it: whose limit it was, and none of the numbers of others."""

from __future__ import annotations

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import limiter_pb2
from llm_platform.rate_limiter.scopes import kind_of

_WHO = {
    "key": "This key made",
    "user": "The keys of this user together made",
    "team": "The keys of this team together made",
    "organization": "The keys of this organisation together made",
    "model": "All calls of this model together are",
    "provider": "All calls of this model's provider together are",
}
_REASONS = {
    "requests": "too many requests a minute",
    "tokens": "too many tokens a minute",
    "concurrency": "too many requests at once",
}


def refusal(reply: limiter_pb2.AcquireReply) -> PlatformError:
    """RATE_LIMITED, with the time after which the limit that refused lets the call pass."""
    who = _WHO[kind_of(reply.denied_scope)]
    what = _REASONS.get(reply.denied_by, "too many requests")
    return PlatformError(
        Code.RATE_LIMITED, f"{who} {what}. Wait, then try again.", retry_after=reply.retry_after_ms / 1000
    )
