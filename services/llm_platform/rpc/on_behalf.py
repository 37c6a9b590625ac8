"""Calls on behalf of a person: what a dashboard sends with each RPC beside its own certificate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

AUTHORIZATION = "authorization"
SCHEME = "Bearer "

token: ContextVar[str] = ContextVar("on_behalf_of", default="")
"""The actor's token (``core/actor_token.py``); empty: the process acts as itself."""


@contextmanager
def on_behalf_of(text: str) -> Iterator[None]:
    """RPCs begun in the block carry ``text``, the token that Sessions gave for the person's session."""
    before = token.set(text)
    try:
        yield
    finally:
        token.reset(before)
