"""The audit log: its chain, its rotation, and several processes on it."""

from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path

import pytest

from llm_platform.secrets_service.accesses import newest_accesses
from llm_platform.secrets_service.audit import AuditLog, _ChainedFile, log_files, verify
from llm_platform.secrets_service.disk import Disk


async def _record(path: Path, lines: int, **settings: int) -> None:
    disk = Disk()
    log = AuditLog(path, disk, **settings)
    for number in range(lines):
        await log.record("get", f"llm/{number}", number, "ok")
    await log.aclose()
    disk.close()


def write(path: Path, lines: int, **settings: int) -> None:
    asyncio.run(_record(path, lines, **settings))


def _write(path: Path) -> None:
    write(path, 50)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


def test_lines_follow_each_other_over_restarts(path: Path) -> None:
    write(path, 5)
    write(path, 5)
    assert verify(path) == (10, 0, "")


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], 4),
        (lambda lines: [*lines[:3], lines[3].replace(b"llm/3", b"llm/7"), *lines[4:]], 4),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 4),
        (lambda lines: [*lines[:4], b'{"at":"2026-01-01T00:00:00Z"}\n', *lines[4:]], 5),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 2),
    ],
)
def test_a_line_that_is_changed_removed_or_put_in_is_found(path: Path, spoil: object, where: int) -> None:
    write(path, 6)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(spoil(lines)))  # type: ignore[operator]
    assert verify(path).broken == f"{path}:{where}"


def test_a_full_file_is_renamed_and_the_chain_goes_on(path: Path) -> None:
    write(path, 30, file_bytes=1000, files=4)
    write(path, 1, file_bytes=1000, files=4)
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == ["audit.log", "audit.log.1", "audit.log.2", "audit.log.3"]
    found = verify(path)
    assert (found.broken, found.torn) == ("", 0)
    assert found.lines < 31
    (path.parent / "audit.log.2").unlink()
    assert verify(path).broken.startswith(f"{path}.1:1")


def test_when_fewer_files_are_kept_than_before_the_oldest_go_and_the_chain_stays_whole(path: Path) -> None:
    write(path, 40, file_bytes=1000, files=8)
    before = len(list(path.parent.iterdir()))
    assert before == 8
    write(path, 1, file_bytes=10_000, files=3)
    assert verify(path).broken == ""
    write(path, 10, file_bytes=1000, files=3)
    assert sorted(each.name for each in path.parent.iterdir()) == ["audit.log", "audit.log.1", "audit.log.2"]
    assert verify(path).broken == ""


def test_a_new_file_that_cannot_be_opened_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no file is closed twice: meanwhile its number may be another's."""
    write(path, 10)
    make_room = _ChainedFile._make_room

    def blocked(file: _ChainedFile) -> None:
        make_room(file)
        path.mkdir()

    monkeypatch.setattr(_ChainedFile, "_make_room", blocked)
    with pytest.raises(IsADirectoryError):
        _ChainedFile(path, file_bytes=1000, files=4).append([b"{}"])


def test_a_file_that_others_rename_is_begun_anew(path: Path) -> None:
    async def renamed_between() -> None:
        disk = Disk()
        log = AuditLog(path, disk)
        await log.record("get", "a", 1, "ok")
        path.rename(path.with_name("audit.log.1"))  # noqa: ASYNC240 - a test may block
        await log.record("get", "b", 1, "ok")
        await log.aclose()
        disk.close()

    asyncio.run(renamed_between())
    assert verify(path) == (2, 0, "")


def test_a_line_that_a_crash_tore_off_does_not_break_the_chain(path: Path) -> None:
    write(path, 3)
    with path.open("ab") as file:
        file.write(b'{"at":"2026-11-21T')
    write(path, 3)
    assert verify(path) == (6, 1, "")


def test_lines_from_before_there_was_a_chain_stand_at_its_beginning(path: Path) -> None:
    path.write_bytes(b'{"at":"2026-01-01T00:00:00Z","caller":"x","operation":"get"}\n')
    write(path, 2)
    assert verify(path) == (2, 0, "")


def test_processes_share_one_chain(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(path,)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert verify(path) == (150, 0, "")


def test_accesses_are_found_in_renamed_files_and_beside_torn_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_platform.secrets_service.accesses._BLOCK", 300)
    write(path, 8, file_bytes=500, files=20)
    path.write_bytes(path.read_bytes() + b'{"at":"2026-01-01T00:00:00Z","path":"llm/3"\n')
    write(path, 4, file_bytes=500, files=20)
    assert len(log_files(path)) > 2
    found = newest_accesses(log_files(path), "llm/3", 10)
    assert [line.version for line in found.lines] == [3, 3]
    assert found.lines[0].at >= found.lines[1].at >= found.back_to
    assert len(newest_accesses(log_files(path), "llm/3", 1).lines) == 1


def test_a_search_reads_no_more_than_it_may(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_platform.secrets_service.accesses._BLOCK", 300)
    monkeypatch.setattr("llm_platform.secrets_service.accesses.SEARCHED_BYTES", 600)
    write(path, 20)
    assert newest_accesses([path], "llm/1", 10).lines == []
    assert [line.version for line in newest_accesses([path], "llm/19", 10).lines] == [19]
    assert newest_accesses([path], "llm/1", 10).back_to
