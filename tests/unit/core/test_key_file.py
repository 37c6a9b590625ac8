from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_platform.core.key_file import UnusableKeyError, parse_key, read_key, read_or_make_key


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "store.key"
    key = read_or_make_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_make_key(path) == read_key(path) == key
    assert [file.name for file in path.parent.iterdir()] == ["store.key"]


def test_processes_that_start_together_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(lambda _: read_or_make_key(tmp_path / "store.key"), range(64)))
    assert len(made) == 1


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"x" * 31).decode(), "ü" * 44, "A" * 43 + "!"])
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnusableKeyError, match=r"stores\.secrets_key must be the base64 of 32 bytes") as refusal:
        parse_key(text, "stores.secrets_key")
    assert not text or text not in str(refusal.value)
    path = tmp_path / "store.key"
    path.write_text(text)
    with pytest.raises(UnusableKeyError, match=r"store\.key must be"):
        read_or_make_key(path)
    assert path.read_text() == text


def test_a_missing_key_or_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnusableKeyError, match="cannot be read: No such file"):
        read_key(tmp_path / "none.key")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableKeyError, match="cannot be made"):
        read_or_make_key(tmp_path / "file" / "store.key")
