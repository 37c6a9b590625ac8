"""The operations of the user dashboard."""

from __future__ import annotations

from llm_platform.dashboard.common import OPERATIONS

__all__ = ["OPERATIONS"]
