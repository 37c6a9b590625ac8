"""core/log_output.py: lines wait for each other, but never for long, and none is lost or overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_platform.core.log_output import FLUSH_SECONDS, MOST_WAITING, LogOutput


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "out.log"


@pytest.fixture
def output(path: Path) -> Iterator[LogOutput]:
    output = LogOutput()
    output.open(path)
    yield output
    output._stream.close()


def written(path: Path) -> bytes:
    return path.read_bytes()


def test_a_line_is_written_at_once_where_no_loop_runs(output: LogOutput, path: Path) -> None:
    output.info(b"1\n")
    assert written(path) == b"1\n"


async def test_lines_of_a_loop_are_written_together_and_soon(output: LogOutput, path: Path) -> None:
    output.info(b"1\n")
    output.debug(b"2\n")
    assert written(path) == b""
    await asyncio.sleep(10 * FLUSH_SECONDS)
    assert written(path) == b"1\n2\n"


async def test_a_warning_is_written_at_once_and_after_what_waited(output: LogOutput, path: Path) -> None:
    output.info(b"1\n")
    output.warning(b"2\n")
    assert written(path) == b"1\n2\n"


async def test_few_lines_wait(output: LogOutput, path: Path) -> None:
    for _ in range(MOST_WAITING):
        output.info(b"x\n")
    assert written(path) == b"x\n" * MOST_WAITING


def test_lines_of_a_loop_that_ended_are_written_by_the_next_one(output: LogOutput, path: Path) -> None:
    async def post(line: bytes, seconds: float) -> None:
        output.info(line)
        await asyncio.sleep(seconds)

    asyncio.run(post(b"1\n", 0))
    assert written(path) == b""
    asyncio.run(post(b"2\n", 0.2))
    assert written(path) == b"1\n2\n"


def test_what_waits_goes_to_the_file_that_was_open(output: LogOutput, path: Path) -> None:
    async def rotate() -> None:
        output.info(b"1\n")
        output.reopen()

    path.rename(path.with_suffix(".1"))
    asyncio.run(rotate())
    output.warning(b"2\n")
    assert written(path.with_suffix(".1")) == b"1\n"
    assert written(path) == b"2\n"
