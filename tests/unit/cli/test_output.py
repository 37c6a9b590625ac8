"""Amounts are exact."""

from __future__ import annotations

import pytest

from llm_platform.cli.output import dollars


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"), (1, "$0.000000001"), (24_000, "$0.000024"), (12_500_000_000, "$12.50"),
        (-1_000_000_001, "-$1.000000001"), (2**63 - 1, "$9223372036.854775807"),
    ],
)  # fmt: skip
def test_nano_dollars_as_dollars(nano: int, text: str) -> None:
    assert dollars(nano) == text
