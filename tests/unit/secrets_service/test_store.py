"""The encrypted file: versions, several processes, and what happens when it cannot be trusted."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_platform.core.errors import Code, PlatformError
from llm_platform.secrets_service.embedded import lock
from llm_platform.secrets_service.embedded.encrypted_file import UnusableStoreError
from llm_platform.secrets_service.embedded.keyring import ConfiguredKeys
from llm_platform.secrets_service.embedded.sealing import Sealer, TamperedError
from llm_platform.secrets_service.embedded.versions import MAX_VERSIONS, SecretStore

KEY = b"k" * 32
PATH = "llm/openai/api_key"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "secrets.json"


@pytest.fixture
def store(file: Path) -> SecretStore:
    return SecretStore(file, ConfiguredKeys(KEY))


def value_of(store: SecretStore, path: str, version: int = 0) -> tuple[int, bytes]:
    found = store.get(path, version)
    return found.version, found.value


def refused(code: Code, call: Callable[[], object]) -> str:
    with pytest.raises(PlatformError) as refusal:
        call()
    assert refusal.value.code is code
    return refusal.value.message


def test_each_put_is_a_new_version_and_old_ones_stay_readable(store: SecretStore) -> None:
    assert [store.put(PATH, value) for value in (b"one", b"two")] == [1, 2]
    assert value_of(store, PATH) == value_of(store, PATH, 2) == (2, b"two")
    assert value_of(store, PATH, 1) == (1, b"one")
    refused(Code.NOT_FOUND, lambda: store.get(PATH, 3))
    refused(Code.NOT_FOUND, lambda: store.get("llm/other"))


def test_only_the_newest_versions_are_kept(store: SecretStore) -> None:
    for number in range(MAX_VERSIONS + 2):
        store.put(PATH, b"%d" % number)
    assert sorted(store.entries()[PATH].versions) == list(range(3, MAX_VERSIONS + 3))
    refused(Code.NOT_FOUND, lambda: value_of(store, PATH, 2))


def test_a_deleted_secret_is_destroyed_and_its_numbers_do_not_come_back(store: SecretStore, file: Path) -> None:
    store.put(PATH, b"one")
    store.put(PATH, b"two")
    assert store.delete(PATH) == 2
    assert not store.entries()[PATH].versions
    assert json.loads(file.read_text().splitlines()[1])["secrets"][PATH]["versions"] == {}
    refused(Code.NOT_FOUND, lambda: value_of(store, PATH))
    refused(Code.NOT_FOUND, lambda: value_of(store, PATH, 1))
    refused(Code.NOT_FOUND, lambda: store.delete(PATH))
    assert store.put(PATH, b"three", expected_version=0) == 3


def test_check_and_set_writes_only_over_the_version_that_was_seen(store: SecretStore) -> None:
    assert store.put(PATH, b"one", expected_version=0) == 1
    assert "is 1, not 0" in refused(Code.CONFLICT, lambda: store.put(PATH, b"two", expected_version=0))
    assert store.put(PATH, b"two", expected_version=1) == 2
    assert value_of(store, PATH) == (2, b"two")


def test_what_was_put_is_there_after_a_restart_and_unreadable_without_the_key(store: SecretStore, file: Path) -> None:
    store.put(PATH, b"sk-a-provider-key")
    assert value_of(SecretStore(file, ConfiguredKeys(KEY)), PATH) == (1, b"sk-a-provider-key")
    assert b"sk-a-provider-key" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in file.parent.iterdir()) == ["secrets.json", "secrets.lock"]


def test_what_another_process_wrote_is_seen_at_the_next_call(store: SecretStore, file: Path) -> None:
    other = SecretStore(file, ConfiguredKeys(KEY))
    store.put(PATH, b"one")
    assert value_of(other, PATH) == (1, b"one")
    assert other.put(PATH, b"two") == 2
    assert value_of(store, PATH) == (2, b"two")
    store.delete(PATH)
    refused(Code.NOT_FOUND, lambda: value_of(other, PATH))


def _write_many(file: Path, name: str) -> None:
    store = SecretStore(file, ConfiguredKeys(KEY))
    for _ in range(10):
        store.put("shared", name.encode())
        store.put(f"own/{name}", b"x")


def test_processes_that_write_at_once_lose_nothing(file: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(file, f"writer-{number}")) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    entries = SecretStore(file, ConfiguredKeys(KEY)).entries()
    assert entries["shared"].last == 30
    assert [entries[f"own/writer-{number}"].last for number in range(3)] == [10, 10, 10]


def test_a_writer_waits_only_so_long_for_another(
    store: SecretStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "LOCK_SECONDS", 0.05)
    other = SecretStore(file, ConfiguredKeys(KEY))
    with other._file.locked():
        assert "Another process" in refused(Code.UNAVAILABLE, lambda: store.put(PATH, b"one"))
    assert store.put(PATH, b"one") == 1


def test_a_wrong_key_is_refused_and_nothing_is_written_over(store: SecretStore, file: Path) -> None:
    store.put(PATH, b"one")
    before = file.read_bytes()
    with pytest.raises(UnusableStoreError, match="was written with another key"):
        SecretStore(file, ConfiguredKeys(b"w" * 32))
    assert file.read_bytes() == before


def _swap_values(content: str) -> str:
    header, body = content.splitlines()
    secrets = json.loads(body)
    one, two = secrets["secrets"]["one"]["versions"], secrets["secrets"]["two"]["versions"]
    one["1"], two["1"] = two["1"], one["1"]
    return f"{header}\n{json.dumps(secrets, separators=(',', ':'))}\n"


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (lambda _: "", "is not a store of secrets"),
        (lambda _: "hello\n", "is not a store of secrets"),
        (lambda content: content[:-20], "was changed by something else, or is damaged"),
        (lambda content: content.replace('"one"', '"uno"'), "was changed by something else, or is damaged"),
        (lambda content: content.replace('"last":1', '"last":7'), "was changed by something else, or is damaged"),
        (_swap_values, "was changed by something else, or is damaged"),
        (lambda content: content.replace('"format":1', '"format":9'), "run the newer release"),
    ],
)
def test_a_file_that_was_tampered_with_is_refused_and_left_as_it_is(
    store: SecretStore, file: Path, tamper: Callable[[str], str], reason: str
) -> None:
    store.put("one", b"1")
    store.put("two", b"2")
    tampered = tamper(file.read_text())
    file.write_text(tampered)
    with pytest.raises(UnusableStoreError, match=reason):
        SecretStore(file, ConfiguredKeys(KEY))
    calls = (lambda: store.get("one"), lambda: store.put("one", b"3"), store.entries, lambda: store.delete("one"))
    for call in calls:
        with pytest.raises(UnusableStoreError, match=reason):
            call()
    assert file.read_text() == tampered


def test_a_store_that_vanished_is_not_begun_anew_by_who_had_it_open(store: SecretStore, file: Path) -> None:
    store.put(PATH, b"one")
    file.unlink()
    with pytest.raises(UnusableStoreError, match="No such file"):
        store.put(PATH, b"two")
    assert not file.exists()


def test_a_write_that_fails_half_way_leaves_the_old_content(
    store: SecretStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(PATH, b"one")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(UnusableStoreError, match="No space left"):
            store.put(PATH, b"two")
    assert value_of(store, PATH) == value_of(SecretStore(file, ConfiguredKeys(KEY)), PATH) == (1, b"one")
    assert sorted(each.name for each in file.parent.iterdir()) == ["secrets.json", "secrets.lock"]


@given(st.binary(max_size=200), st.text(), st.text())
def test_a_value_opens_only_in_its_place_and_unchanged(value: bytes, place: str, other: str) -> None:
    sealer = Sealer(KEY)
    place = place.encode("utf-8", "replace").decode()
    other = other.encode("utf-8", "replace").decode()
    sealed = sealer.seal(value, place)
    assert sealer.open(sealed, place) == value
    broken = [(sealer, sealed[:-1] + bytes([sealed[-1] ^ 1]), place), (sealer, sealed[:20], place),
              (Sealer(b"w" * 32), sealed, place)]  # fmt: skip
    if other != place:
        broken.append((sealer, sealed, other))
    for by, content, at in broken:
        with pytest.raises(TamperedError):
            by.open(content, at)
