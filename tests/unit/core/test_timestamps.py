"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from llm_platform.core.timestamps import Timestamps

_timestamp = Timestamps()


@given(st.floats(0, 4e9))
def test_a_time_is_that_of_the_standard_library_to_the_millisecond(at: float) -> None:
    text = _timestamp(at)
    assert abs(datetime.fromisoformat(text).timestamp() - at) <= 0.0011
    assert datetime.fromisoformat(text).tzinfo == UTC
    assert len(text) == len("2026-11-21T13:47:30.530Z")
