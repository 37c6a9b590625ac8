"""Providers' exports are read as they are meant, and not at all when they mean nothing."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from llm_platform.billing.reconciliation.export import LONGEST_LINE, Coverage, ExportFile, ExportLine
from llm_platform.billing.records import UsageCounts
from llm_platform.core.errors import Code, PlatformError


def read(tmp_path: Path, content: str | bytes) -> tuple[Coverage, list[ExportLine]]:
    path = tmp_path / "export"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    file = ExportFile(path)
    lines = list(file.lines())
    return file.coverage, lines


NAMES = "attempt_id,request_id,time,model,input_tokens,output_tokens,cost"


def test_csv_and_json_say_the_same_also_gzipped(tmp_path: Path) -> None:
    expected = ExportLine(
        2, "rsv_1-1", "", 1_767_225_600_000_000, 'm, "模型"', UsageCounts(3, output_tokens=4), 1_500_000_002
    )
    rows = f'\ufeff{NAMES}\r\nrsv_1-1,,2026-01-01T01:00:00+01:00,"m, ""模型""",3,4,1.5000000015\r\n'
    head = '{"export": {"provider": "p", "since": "2026-01-01T00:00:00Z", "complete": true}}\n'
    line = (
        '{"attempt_id": "rsv_1-1", "time": "2026-01-01T00:00:00Z", "model": "m, \\"模型\\"", '
        '"input_tokens": 3, "output_tokens": "4", "cost": 1.5000000015, "unheard": [1]}\n'
    )
    assert read(tmp_path, rows) == (Coverage(), [expected])
    assert read(tmp_path, head + line) == (Coverage("p", 1_767_225_600_000_000, None, True), [expected])
    assert read(tmp_path, gzip.compress((head + line).encode()))[1] == [expected]
    assert read(tmp_path, "") == (Coverage(), [])


@pytest.mark.parametrize("cost", ["-0.01", "NaN", "Infinity", "-inf", "1e400", "1000000.01", "1_0", "0x1", "$1", "1,5"])
def test_a_cost_that_cannot_be_is_refused_with_its_line(tmp_path: Path, cost: str) -> None:
    good = "rsv_1-1,,,m,1,1,0.1"
    with pytest.raises(PlatformError) as refused:
        read(tmp_path, f'{NAMES}\n{good}\nrsv_2-1,,,m,1,1,"{cost}"\n')
    assert refused.value.code is Code.INVALID_REQUEST
    assert refused.value.message.startswith("Line 3 of the export: cost must be in dollars")
    json_cost = cost if cost in {"NaN", "Infinity", "-0.01", "1e400", "1000000.01"} else f'"{cost}"'
    with pytest.raises(PlatformError):
        read(tmp_path, f'{{"attempt_id": "a", "input_tokens": 1, "cost": {json_cost}}}')


@pytest.mark.parametrize(
    "line",
    [
        '{"attempt_id": "a", "input_tokens": -1}',
        '{"attempt_id": "a", "input_tokens": 1.5}',
        '{"attempt_id": "a", "input_tokens": true}',
        '{"attempt_id": "a", "input_tokens": 1e3}',
        '{"attempt_id": "a", "input_tokens": %s}' % ("9" * 5_000),
        '{"attempt_id": "a"}',
        '{"input_tokens": 1}',
        '{"attempt_id": "a\\u0000", "input_tokens": 1}',
        '{"attempt_id": ["a"], "input_tokens": 1}',
        '{"attempt_id": "a", "input_tokens": 1, "time": "yesterday"}',
        '{"attempt_id": "a", "input_tokens": 1',
        '{"attempt_id": ' + "[" * 60_000,
        '{"attempt_id": "' + "a" * LONGEST_LINE + '"}',
        '{"attempt_id": "\udcff"}',
        "[1]",
        "hello",
        "input_tokens\n1",
        "attempt_id,attempt_id\n1,2",
        "attempt_id,input_tokens\na,1,2",
        'attempt_id,input_tokens\n"a,1',
    ],
)
def test_a_line_that_means_nothing_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(PlatformError) as refused:
        read(tmp_path, line.encode("utf-8", "surrogateescape"))
    assert refused.value.code is Code.INVALID_REQUEST
    assert len(refused.value.message) < 300


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"attempt_id": "a", "input_tokens": 1}\n' * 1_000)
    with pytest.raises(PlatformError, match="not whole"):
        read(tmp_path, whole[:-20])


@pytest.mark.parametrize(
    ("cost", "nano"), [("0.0000000005", 0), ("0.0000000015", 2), ("1e-400", 0), ("0", 0), ("-0", 0)]
)
def test_a_cost_is_rounded_once_half_to_even(tmp_path: Path, cost: str, nano: int) -> None:
    [line] = read(tmp_path, f"attempt_id,cost\na,{cost}\n")[1]
    assert line.cost == nano
