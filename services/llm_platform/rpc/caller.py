"""Who calls, for whoever serves an RPC: the service named in the peer's certificate."""

from __future__ import annotations

from contextvars import ContextVar

caller: ContextVar[str] = ContextVar("caller", default="standalone")
"""The catalogue's name of the calling service; ``standalone`` when everything runs in one process."""
