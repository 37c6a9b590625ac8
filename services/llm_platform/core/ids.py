"""The platform's own identifiers: sortable by time, unguessable, URL-safe."""

from __future__ import annotations

import os
import time

_RANDOM_BYTES = 10
_AT_ONCE = 256
_drawn: list[str] = []


def new_id(prefix: str) -> str:
    """``prefix_`` + 12 hex digits of Unix milliseconds + 20 random hex digits (80 bits)."""
    while True:
        try:
            return f"{prefix}_{int(time.time() * 1000):012x}{_drawn.pop()}"
        except IndexError:
            _draw()


def _draw() -> None:
    """The system's randomness for many ids: a call of its own for each is most of what an id costs. Threads may draw
    at once, since appending and popping are atomic and every piece is taken once."""
    drawn = os.urandom(_RANDOM_BYTES * _AT_ONCE)
    _drawn.extend(drawn[at : at + _RANDOM_BYTES].hex() for at in range(0, len(drawn), _RANDOM_BYTES))
