"""Whose limits one call takes from: a key's, and those of its user, team, organisation, model or provider."""

from __future__ import annotations

from llm_platform.proto import common_pb2, limiter_pb2
from llm_platform.rate_limiter.gcra import tolerance_ns

KINDS = ("user", "team", "organization", "model", "provider")
"""What stands before the colon of a subject; a key's subject is its plain id."""
KEY = "key"


class Scope:
    """One subject of a call and its limits. Tolerances are in nanoseconds (gcra.tolerance_ns)."""

    __slots__ = (
        "concurrency",
        "request_limit",
        "request_tolerance",
        "subject",
        "token_limit",
        "token_tolerance",
        "tokens",
    )

    def __init__(self, subject: str, limits: common_pb2.Limits, tokens: int) -> None:
        self.subject = subject
        self.tokens = tokens
        self.concurrency = limits.concurrency
        self.request_limit = limit = limits.requests_per_minute
        self.request_tolerance = tolerance_ns(limits.requests_burst, limit) if limit else 0
        self.token_limit = limit = limits.tokens_per_minute
        self.token_tolerance = tolerance_ns(limits.tokens_burst, limit) if limit else 0

    @property
    def holds_leases(self) -> bool:
        """Whether a call has something to give back at its end."""
        return bool(self.token_limit or self.concurrency)


def scopes_of(item: limiter_pb2.Acquire) -> list[Scope]:
    """The item's own subject and the further ones, each once and only where a limit is set."""
    own = Scope(item.subject, item.limits, item.tokens)
    scopes = [own] if own.request_limit or own.token_limit or own.concurrency else []
    if not item.scopes:
        return scopes
    seen = {own.subject}
    for given in item.scopes:
        scope = Scope(given.subject, given.limits, given.tokens)
        if given.subject not in seen and (scope.request_limit or scope.token_limit or scope.concurrency):
            seen.add(given.subject)
            scopes.append(scope)
    return scopes


def subjects_of(item: limiter_pb2.Finish) -> list[str]:
    """The subjects that a lease or a block may be held of, each once."""
    return list(dict.fromkeys((item.subject, *item.scopes)))


def kind_of(subject: str) -> str:
    """``key`` for what is none of KINDS, so that it may be a metric's label."""
    kind, colon, _ = subject.partition(":")
    return kind if colon and kind in KINDS else KEY
