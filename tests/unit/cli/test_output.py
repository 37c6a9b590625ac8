"""Amounts are exact, and names are shown as they are."""

from __future__ import annotations

import pytest

from llm_platform.cli.output import Format, Printer, ReportFormat, dollars, print_rows


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "$0.00"), (1, "$0.000000001"), (24_000, "$0.000024"), (12_500_000_000, "$12.50"),
        (-1_000_000_001, "-$1.000000001"), (2**63 - 1, "$9223372036.854775807"),
    ],
)  # fmt: skip
def test_nano_dollars_as_dollars(nano: int, text: str) -> None:
    assert dollars(nano) == text


def test_a_name_is_no_markup_and_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(
        [{"name": "a [/b] [red]c :warning:"}, {"name": "\x1b[31md\x9b1m\r\ne"}], ["name"], Format.TABLE, empty=""
    )
    shown = capsys.readouterr().out
    assert "a [/b] [red]c :warning:" in shown
    assert "\ufffd[31md\ufffd1m\ufffd\ufffde" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201"])
def test_no_cell_is_a_formula(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(["name"], ReportFormat.CSV, empty="")
    printer.add([{"name": name}])
    assert capsys.readouterr().out.splitlines()[1].strip('"') == f"'{name}"
