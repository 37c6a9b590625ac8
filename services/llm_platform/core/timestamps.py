"""Times as text: RFC 3339 in UTC with milliseconds."""

from __future__ import annotations

import time


class Timestamps:
    """Formats times; the part up to the second once a second."""

    def __init__(self) -> None:
        self._last = (-1, "")  # replaced as a whole: threads share it

    def __call__(self, at: float) -> str:
        """``at`` is Unix time in seconds."""
        second, prefix = self._last
        if second != int(at):
            second = int(at)
            prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
            self._last = (second, prefix)
        return f"{prefix}{int((at - second) * 1000):03d}Z"
