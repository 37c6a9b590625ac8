"""The embedded store under a passphrase, and the rotation of its key."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing import get_context
from pathlib import Path

import pytest
from pydantic import SecretStr

from llm_platform.core import durable, metrics
from llm_platform.core.config import Config, Service, Stores
from llm_platform.core.errors import CannotStartError, Code, PlatformError
from llm_platform.core.health import Health
from llm_platform.core.key_file import UnusableKeyError
from llm_platform.proto import common_pb2, secrets_pb2
from llm_platform.secrets_service import passphrase
from llm_platform.secrets_service.embedded import keyring, lock
from llm_platform.secrets_service.embedded.keyring import ConfiguredKeys, KeyFiles
from llm_platform.secrets_service.embedded.lock import write_lock
from llm_platform.secrets_service.embedded.versions import SecretStore
from llm_platform.secrets_service.service import SecretService
from tests.unit.secrets_service.calls import EVERYTHING, PATH, delete, get, put, refusal_of, told
from tests.unit.secrets_service.contract import Open, replica, secrets

__all__ = ["replica", "secrets"]

WORDS = b"correct horse battery staple"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "COST", 2**10)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(service=Service(data_dir=tmp_path))


def with_stores(config: Config, **stores: object) -> Config:
    return config.model_copy(update={"stores": Stores.model_validate(stores)})


async def seal(secrets: SecretService, words: bytes = b"") -> secrets_pb2.SecretsSeal:
    return await secrets.seal(secrets_pb2.SealSecretsRequest(passphrase=words))


async def unseal(secrets: SecretService, words: bytes = WORDS, *, initialize: bool = False) -> secrets_pb2.SecretsSeal:
    return await secrets.unseal(secrets_pb2.UnsealSecretsRequest(passphrase=words, initialize=initialize))


async def rotate_key(secrets: SecretService, *, confirm: bool = False) -> secrets_pb2.SecretsSeal:
    return await secrets.rotate_store_key(secrets_pb2.RotateStoreKeyRequest(confirm=confirm))


async def test_a_sealed_store_refuses_everything_says_so_and_serves_again_when_it_is_unsealed(
    secrets: SecretService, config: Config
) -> None:
    health = Health(config)
    health.add("store", secrets.check)
    await put(secrets, value=b"known")
    sealed = await seal(secrets, WORDS)
    assert (sealed.sealed, sealed.passphrase, sealed.key_id) == (True, True, "")
    calls = (
        get(secrets),
        put(secrets),
        delete(secrets),
        secrets.list(EVERYTHING),
        secrets.check(),
        rotate_key(secrets),
    )
    for call in calls:
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.message) == (
            Code.UNAVAILABLE,
            "The store of secrets is sealed; open it with: llm-gateway secrets unseal",
        )
    assert "sealed" in str((await health.report()).dependencies["store"].reason)
    assert b"llm_secrets_sealed 1.0" in metrics.exposition()
    wrong = await refusal_of(unseal(secrets, b"another passphrase"))
    assert (wrong.code, wrong.message) == (Code.PERMISSION_DENIED, "The passphrase is wrong.")
    assert (await secrets.seal_status(common_pb2.Empty())).sealed
    assert not (await unseal(secrets)).sealed
    assert await get(secrets) == b"known"
    assert b"llm_secrets_sealed 0.0" in metrics.exposition()


async def test_a_store_under_a_passphrase_starts_sealed_and_a_watch_goes_on_over_it(
    config: Config, replica: Open, tmp_path: Path
) -> None:
    first = await replica(config)
    await put(first, value=b"known")
    watch = first.watch(EVERYTHING)
    await told(watch, PATH, 1)
    await seal(first, WORDS)
    later = await replica(config)
    assert (await later.seal_status(common_pb2.Empty())).sealed
    for each in (later, first):  # each replica has its own seal
        await unseal(each)
    await put(later, value=b"more")
    await told(watch, PATH, 2)
    assert WORDS not in b"".join(each.read_bytes() for each in tmp_path.iterdir())  # noqa: ASYNC240 - a test may block


async def test_a_store_that_is_to_be_sealed_wants_a_passphrase_before_anything_else(
    config: Config, replica: Open, tmp_path: Path
) -> None:
    secrets = await replica(with_stores(config, secrets_sealed=True))
    assert "secrets unseal --init" in (await refusal_of(put(secrets))).message
    assert "secrets unseal --init" in (await refusal_of(unseal(secrets))).message
    short = await refusal_of(unseal(secrets, b"short", initialize=True))
    assert (short.code, short.param) == (Code.INVALID_REQUEST, "passphrase")
    await unseal(secrets, initialize=True)
    await put(secrets)
    assert (tmp_path / "secrets.key").read_bytes().startswith(b"{")
    assert (await refusal_of(unseal(secrets, initialize=True))).code is Code.CONFLICT


async def test_a_store_in_the_open_that_is_to_be_sealed_keeps_its_secrets(config: Config, replica: Open) -> None:
    await put(await replica(config), value=b"known")
    secrets = await replica(with_stores(config, secrets_sealed=True))
    assert (await refusal_of(get(secrets))).code is Code.UNAVAILABLE
    await unseal(secrets, initialize=True)
    assert await get(secrets) == b"known"


async def test_a_file_with_the_passphrase_opens_the_store_at_the_start(
    config: Config, replica: Open, tmp_path: Path
) -> None:
    file = tmp_path / "words"
    settings = with_stores(config, secrets_sealed=True, secrets_passphrase_file=file)
    assert (await (await replica(settings)).seal_status(common_pb2.Empty())).sealed  # not there
    file.write_bytes(WORDS + b"\n")
    await put(await replica(settings), value=b"known")
    assert await get(await replica(settings)) == b"known"
    file.write_bytes(b"another passphrase")
    assert (await refusal_of(get(await replica(settings)))).code is Code.UNAVAILABLE


async def test_a_passphrase_is_changed(secrets: SecretService) -> None:
    await put(secrets, value=b"known")
    await seal(secrets, WORDS)
    await unseal(secrets)
    await seal(secrets, b"other words of mine")
    assert (await refusal_of(unseal(secrets))).code is Code.PERMISSION_DENIED
    await unseal(secrets, b"other words of mine")
    assert await get(secrets) == b"known"


async def test_without_a_passphrase_there_is_no_seal(secrets: SecretService) -> None:
    await put(secrets)
    refusal = await refusal_of(seal(secrets))
    assert (refusal.code, refusal.param) == (Code.INVALID_REQUEST, "passphrase")
    assert await get(secrets) == b"value"


async def test_a_configured_key_cannot_be_sealed(config: Config, replica: Open) -> None:
    key = SecretStr(base64.b64encode(b"k" * 32).decode())
    secrets = await replica(with_stores(config, secrets_key=key))
    assert (await refusal_of(seal(secrets, WORDS))).code is Code.INVALID_REQUEST
    with pytest.raises(CannotStartError, match="secrets_sealed has no effect"):
        await replica(with_stores(config, secrets_key=key, secrets_sealed=True))


async def test_a_damaged_sealed_key_is_said(config: Config, replica: Open, tmp_path: Path) -> None:
    await seal(await replica(config), WORDS)
    (tmp_path / "secrets.key").write_bytes(b"{")
    with pytest.raises(UnusableKeyError, match="is damaged"):
        await replica(config)


def test_of_two_first_passphrases_at_once_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = _key_files(tmp_path), _key_files(tmp_path)

    def overtaken(store: Path) -> AbstractContextManager[None]:
        with write_lock(store):
            theirs.put_under(b"their own words")
        return write_lock(store)

    monkeypatch.setattr(keyring, "write_lock", overtaken)
    with pytest.raises(PlatformError) as refusal:
        ours.unseal(WORDS, initialize=True)
    assert refusal.value.code is Code.CONFLICT
    ours.unseal(b"their own words", initialize=False)


def test_a_first_passphrase_waits_for_who_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK_SECONDS", 0.05)
    keys = _key_files(tmp_path)
    with write_lock(tmp_path / "secrets.json"), pytest.raises(PlatformError, match="Another process"):
        keys.unseal(WORDS, initialize=True)
    keys.unseal(WORDS, initialize=True)
    assert keys.has_passphrase


# The key of the store


@pytest.mark.parametrize("sealed", [False, True])
async def test_the_key_is_rotated_kept_until_it_is_confirmed_and_other_replicas_go_on(
    config: Config, replica: Open, tmp_path: Path, sealed: bool
) -> None:
    here, there = await replica(config), await replica(config)
    await put(here, value=b"one")
    await put(here, value=b"two")
    if sealed:
        await seal(here, WORDS)
        await seal(there)
        for each in (here, there):
            await unseal(each)
    before = (await here.seal_status(common_pb2.Empty())).key_id
    after = await rotate_key(here)
    assert after.key_id != before
    assert after.confirmable
    for each in (here, there):
        assert (await get(each), await get(each, version=1)) == (b"two", b"one")
    await put(there, value=b"three")
    assert (await refusal_of(rotate_key(there))).code is Code.CONFLICT  # not confirmed
    assert not (await rotate_key(there, confirm=True)).confirmable
    names = sorted(each.name for each in tmp_path.iterdir())  # noqa: ASYNC240 - a test may block
    assert names == ["audit.log", "secrets.json", "secrets.key", "secrets.lock"]
    assert (await rotate_key(here)).key_id not in {before, after.key_id}
    late = await replica(config)
    if sealed:
        await unseal(late)
    assert await get(late) == b"three"


async def test_the_store_from_before_can_be_put_back(config: Config, replica: Open, tmp_path: Path) -> None:
    secrets = await replica(config)
    await put(secrets, value=b"before")
    await rotate_key(secrets)
    await put(secrets, value=b"after")
    (tmp_path / "secrets.json").write_bytes((tmp_path / "secrets.json.previous").read_bytes())
    assert await get(secrets) == b"before"
    assert await get(await replica(config)) == b"before"
    await rotate_key(await replica(config), confirm=True)
    assert await get(await replica(config)) == b"before"


async def test_a_configured_key_is_changed_when_the_operator_says(config: Config, replica: Open) -> None:
    old, new = (SecretStr(base64.b64encode(bytes([number]) * 32).decode()) for number in (1, 2))
    secrets = await replica(with_stores(config, secrets_key=old))
    await put(secrets, value=b"known")
    assert "secrets_key_previous" in (await refusal_of(rotate_key(secrets))).message
    both = await replica(with_stores(config, secrets_key=new, secrets_key_previous=old))
    assert await get(both) == b"known"
    await put(both, value=b"still under the old one")
    assert await get(secrets) == b"still under the old one"
    await rotate_key(both)
    assert await get(both) == b"still under the old one"
    assert await get(await replica(with_stores(config, secrets_key=new))) == b"still under the old one"
    assert (await refusal_of(get(secrets))).code is Code.UNAVAILABLE


def _key_files(directory: Path) -> KeyFiles:
    path = directory / "secrets.json"
    return KeyFiles(path.with_suffix(".key"), path)


def _opened(directory: Path) -> SecretStore:
    return SecretStore(directory / "secrets.json", _key_files(directory))


def _die_at(step: int) -> None:
    """The process kills itself at its ``step``-th change of a file or folder on the disk, before or after it."""
    done = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keywords: object) -> object:
            nonlocal done
            for _ in range(2):
                done += 1
                if done == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                if done % 2:
                    result = real(*arguments, **keywords)
            return result

        return call

    os.fsync = counted(os.fsync)  # type: ignore[assignment]
    Path.replace = counted(Path.replace)  # type: ignore[assignment,method-assign]
    Path.unlink = counted(Path.unlink)  # type: ignore[assignment,method-assign]


def _rotate(directory: Path, step: int) -> None:
    store = _opened(directory)
    _die_at(step)
    store.rotate_key()
    store.confirm_key()


def test_a_rotation_that_is_killed_at_any_step_loses_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    context = get_context("fork")
    step = 0
    while True:
        step += 1
        directory = tmp_path / str(step)
        store = _opened(directory)
        for number in range(3):
            store.put(f"llm/{number}/api_key", b"%d" % number)
        process = context.Process(target=_rotate, args=(directory, step))
        process.start()
        process.join(30)
        after = _opened(directory)
        assert [after.get(f"llm/{number}/api_key").value for number in range(3)] == [b"0", b"1", b"2"], step
        assert store.get("llm/0/api_key").value == b"0", step  # who had it open goes on
        if after._keyring.confirmable:
            after.confirm_key()
        after.rotate_key()
        after.put("llm/3/api_key", b"3")
        after.confirm_key()
        assert [_opened(directory).get(f"llm/{number}/api_key").value for number in range(4)] == [
            b"0",
            b"1",
            b"2",
            b"3",
        ]
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
    assert step > 30  # it was killed at many


def test_a_disk_that_is_full_at_any_step_of_a_rotation_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _opened(tmp_path)
    store.put(PATH, b"kept")
    for writes in range(6):
        left = writes

        def limited(path: Path, content: bytes) -> os.stat_result:
            nonlocal left
            if not left:
                raise OSError(28, "No space left on device")
            left -= 1
            return durable.write_file(path, content)

        with monkeypatch.context() as patch:
            patch.setattr("llm_platform.secrets_service.embedded.keyring.write_file", limited)
            patch.setattr("llm_platform.secrets_service.embedded.encrypted_file.write_file", limited)
            with contextlib.suppress(CannotStartError):
                _opened(tmp_path).rotate_key()
            left = 0
            with pytest.raises(CannotStartError, match="No space left"):
                _opened(tmp_path).put(PATH, b"never")
        assert _opened(tmp_path).get(PATH).value == b"kept"
        if _opened(tmp_path)._keyring.confirmable:
            _opened(tmp_path).confirm_key()


def test_a_key_of_another_store_is_not_taken(tmp_path: Path) -> None:
    keys = ConfiguredKeys(b"a" * 32, b"b" * 32)
    assert keys.find("nothing") is None
