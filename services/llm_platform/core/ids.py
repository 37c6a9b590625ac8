"""The platform's own identifiers: sortable by time, unguessable, URL-safe."""

from __future__ import annotations

import os
import time


def new_id(prefix: str) -> str:
    """``prefix_`` + 12 hex digits of Unix milliseconds + 20 random hex digits (80 bits)."""
    return f"{prefix}_{int(time.time() * 1000):012x}{os.urandom(10).hex()}"
