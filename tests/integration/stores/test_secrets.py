"""What docs/secrets.md promises, over the encrypted file and over a real OpenBao; and the faults of the latter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from llm_platform.core import metrics
from llm_platform.core.config import Config, Service, Vault
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.health import Health
from llm_platform.core.pki import issue_authority
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service import app
from llm_platform.secrets_service.app import open_secrets
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.service import MAX_VALUE_BYTES, SecretService
from llm_platform.secrets_service.vault_session import UnusableAuthorityError, VaultSession
from llm_platform.secrets_service.vault_store import VaultStore
from tests.servers.openbao import OpenBao

PATH = "llm/openai/api_key"
EVERYTHING = secrets_pb2.ListSecretsRequest()

Open = Callable[[Config], Any]


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    """Shared: tests that stop it start it again."""
    with OpenBao() as server:
        yield server


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "VAULT_POLL_SECONDS", 0.3)


@pytest.fixture(params=["encrypted file", "openbao"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Config:
    """Of an empty store."""
    vault = request.getfixturevalue("openbao").settings() if request.param == "openbao" else None
    return Config(service=Service(data_dir=tmp_path), vault=vault)


@pytest.fixture
async def replica() -> AsyncIterator[Open]:
    """Opens a secrets-service with a configuration; it is closed with the test."""
    async with AsyncExitStack() as stack:

        async def opened(config: Config) -> SecretService:
            return await stack.enter_async_context(open_secrets(config))

        yield opened


@pytest.fixture
async def secrets(config: Config, replica: Open) -> SecretService:
    service: SecretService = await replica(config)
    return service


async def put(secrets: SecretService, path: str = PATH, value: bytes = b"value", **fields: Any) -> int:
    return (await secrets.put(secrets_pb2.PutSecretRequest(path=path, value=value, **fields))).version


async def get(secrets: SecretService, path: str = PATH, version: int = 0) -> bytes:
    return (await secrets.get(secrets_pb2.GetSecretRequest(path=path, version=version))).value


async def delete(secrets: SecretService, path: str = PATH) -> None:
    await secrets.delete(secrets_pb2.DeleteSecretRequest(path=path))


async def refusal_of(call: Any) -> PlatformError:
    with pytest.raises(PlatformError) as refusal:
        await call
    return refusal.value


async def changes(watch: AsyncIterator[secrets_pb2.SecretInfo], number: int) -> list[tuple[str, int]]:
    async with asyncio.timeout(15):
        return [(info.path, info.current_version) for info in [await anext(watch) for _ in range(number)]]


async def succeeds(call: Callable[[], Any]) -> Any:
    """Repeats the call until it does."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await call()
            except PlatformError:
                await asyncio.sleep(0.1)


def audited(config: Config) -> list[tuple[str, str, int, str]]:
    lines = map(json.loads, (config.service.data_dir / "audit.log").read_text().splitlines())
    return [(line["operation"], line["path"], line["version"], line["result"]) for line in lines]


# The contract


async def test_a_secret_is_put_read_listed_and_deleted(secrets: SecretService) -> None:
    assert await put(secrets, value=b"one") == 1
    assert await put(secrets, value=b"two", expected_version=1) == 2
    assert (await get(secrets), await get(secrets, version=1)) == (b"two", b"one")
    await put(secrets, path="ruvector-api-key")
    (info,) = (await secrets.list(secrets_pb2.ListSecretsRequest(prefix="llm/"))).items
    assert (info.path, info.current_version, list(info.versions)) == (PATH, 2, [1, 2])
    assert info.updated_at.startswith("20")
    assert info.updated_at.endswith("Z")
    await delete(secrets)
    assert [info.path for info in (await secrets.list(EVERYTHING)).items] == ["ruvector-api-key"]
    for version in (0, 1, 2):
        assert (await refusal_of(get(secrets, version=version))).code is Code.NOT_FOUND
    assert (await refusal_of(delete(secrets))).code is Code.NOT_FOUND


async def test_an_empty_store_lists_nothing_and_is_ready(secrets: SecretService) -> None:
    assert not (await secrets.list(EVERYTHING)).items
    await secrets.check()
    assert (await refusal_of(get(secrets))).code is Code.NOT_FOUND


async def test_numbers_do_not_come_back_after_a_deletion(secrets: SecretService) -> None:
    await put(secrets)
    await put(secrets)
    await delete(secrets)
    assert (await refusal_of(put(secrets, expected_version=2))).code is Code.CONFLICT
    assert await put(secrets, value=b"new", expected_version=0) == 3
    assert await get(secrets) == b"new"
    assert (await refusal_of(get(secrets, version=2))).code is Code.NOT_FOUND


async def test_the_ten_newest_versions_are_kept(secrets: SecretService) -> None:
    for number in range(12):
        await put(secrets, value=b"%d" % number)
    assert await get(secrets, version=3) == b"2"
    assert (await refusal_of(get(secrets, version=2))).code is Code.NOT_FOUND
    (info,) = (await secrets.list(EVERYTHING)).items
    assert list(info.versions) == list(range(3, 13))


@pytest.mark.parametrize("value", [b"k", b"\x00\xff\xfe", b'{"a": 1}\n', "ü".encode(), b"x" * MAX_VALUE_BYTES])
async def test_a_value_comes_back_byte_for_byte(secrets: SecretService, replica: Open, value: bytes) -> None:
    await put(secrets, value=value)
    assert await get(secrets) == value


async def test_of_two_writers_that_saw_the_same_version_one_is_refused(config: Config, replica: Open) -> None:
    here, there = await replica(config), await replica(config)
    await put(here)
    writes = (put(each, value=b"mine", expected_version=1) for each in (here, there, here, there))
    answers = await asyncio.gather(*writes, return_exceptions=True)
    refused = [each for each in answers if isinstance(each, PlatformError)]
    assert [each for each in answers if each not in refused] == [2]
    assert {each.code for each in refused} == {Code.CONFLICT}
    assert {each.message for each in refused} == {
        f"The newest version of secret {PATH} is 2, not 1 (0: there is none)."
    }


async def test_writers_that_expect_nothing_all_write(config: Config, replica: Open) -> None:
    here, there = await replica(config), await replica(config)
    assert sorted(await asyncio.gather(*(put(each) for each in (here, there) * 3))) == [1, 2, 3, 4, 5, 6]


async def test_a_watch_sees_what_another_replica_changes(config: Config, replica: Open) -> None:
    here, there = await replica(config), await replica(config)
    await put(here, path="llm/a")
    watch = here.watch(secrets_pb2.ListSecretsRequest(prefix="llm/"))
    assert await changes(watch, 1) == [("llm/a", 1)]
    await put(there, path="other")
    await put(there, path="llm/a")
    assert await changes(watch, 1) == [("llm/a", 2)]
    await delete(there, path="llm/a")
    assert await changes(watch, 1) == [("llm/a", 0)]


async def test_every_access_leaves_a_line(secrets: SecretService, config: Config) -> None:
    await put(secrets)
    await get(secrets)
    await refusal_of(get(secrets, version=7))
    await refusal_of(put(secrets, expected_version=0))
    await refusal_of(get(secrets, path="no path, perhaps a secret"))
    await secrets.list(secrets_pb2.ListSecretsRequest(prefix="llm/"))
    await delete(secrets)
    assert audited(config) == [
        ("put", PATH, 1, "ok"),
        ("get", PATH, 1, "ok"),
        ("get", PATH, 7, "not_found"),
        ("put", PATH, 0, "conflict"),
        ("get", "", 0, "invalid_request"),
        ("list", "llm/", 0, "ok"),
        ("delete", PATH, 1, "ok"),
    ]


async def test_what_was_put_is_there_for_the_next_process(config: Config) -> None:
    async with open_secrets(config) as secrets:
        await put(secrets, value=b"kept")
    async with open_secrets(config) as secrets:
        assert await get(secrets) == b"kept"


# Vault and OpenBao: what others do there


def over(vault: Vault, directory: Path) -> Config:
    return Config(service=Service(data_dir=directory), vault=vault)


@pytest.fixture
def vault(openbao: OpenBao) -> Vault:
    return openbao.settings()


@pytest.fixture
async def kept(vault: Vault, tmp_path: Path, replica: Open) -> SecretService:
    """A secrets-service over OpenBao that has read PATH."""
    service: SecretService = await replica(over(vault, tmp_path))
    await put(service, value=b"known")
    assert await get(service) == b"known"
    return service


async def test_what_operators_write_delete_and_remove_in_vault_is_followed(
    openbao: OpenBao, vault: Vault, kept: SecretService
) -> None:
    kv, name = openbao.root.secrets.kv.v2, f"{vault.prefix}/{PATH}"
    watch = kept.watch(EVERYTHING)
    assert await changes(watch, 1) == [(PATH, 1)]
    kv.create_or_update_secret(name, {"value": "theirs"})
    assert await changes(watch, 1) == [(PATH, 2)]
    assert await get(kept) == b"theirs"
    kv.delete_latest_version_of_secret(name)
    assert await changes(watch, 1) == [(PATH, 0)]
    assert (await refusal_of(get(kept))).code is Code.NOT_FOUND
    assert not (await kept.list(EVERYTHING)).items
    assert await put(kept, expected_version=0) == 3
    assert await changes(watch, 1) == [(PATH, 3)]
    kv.delete_metadata_and_all_versions(name)
    assert await changes(watch, 1) == [(PATH, 0)]


@pytest.mark.parametrize("fields", [{"key": "x"}, {"value": 7}, {"value": ""}, {"value": "%", "encoding": "base64"}])
async def test_a_secret_of_another_shape_is_said_to_be_none(
    openbao: OpenBao, vault: Vault, kept: SecretService, fields: dict[str, Any]
) -> None:
    openbao.root.secrets.kv.v2.create_or_update_secret(f"{vault.prefix}/{PATH}", fields)
    refusal = await refusal_of(get(kept))
    assert refusal.code is Code.NOT_FOUND
    assert 'field "value"' in refusal.message


async def test_names_that_are_no_paths_are_passed_over(openbao: OpenBao, vault: Vault, kept: SecretService) -> None:
    openbao.root.secrets.kv.v2.create_or_update_secret(f"{vault.prefix}/a name", {"value": "x"})
    assert [info.path for info in (await kept.list(EVERYTHING)).items] == [PATH]


async def test_where_vault_demands_check_and_set_a_version_must_be_said(
    openbao: OpenBao, vault: Vault, kept: SecretService
) -> None:
    openbao.root.secrets.kv.v2.update_metadata(f"{vault.prefix}/{PATH}", cas_required=True)
    assert (await refusal_of(put(kept))).param == "expected_version"
    assert await put(kept, expected_version=1) == 2


# Faults


async def test_a_write_without_an_answer_is_said_to_be_open(openbao: OpenBao, kept: SecretService) -> None:
    await asyncio.to_thread(openbao.freeze)
    try:
        assert "is not confirmed" in (await refusal_of(put(kept))).message
        assert "Nothing was changed" in (await refusal_of(put(kept))).message  # it was not even sent
    finally:
        openbao.thaw()
    await succeeds(kept.check)


@pytest.mark.case(12)
@pytest.mark.parametrize(
    ("fault", "mend", "reason"),
    [
        (OpenBao.seal, OpenBao.unseal, "Vault is sealed; unseal it."),
        (OpenBao.stop, OpenBao.start, "Vault cannot be reached"),
        (OpenBao.freeze, OpenBao.thaw, "Vault did not answer within"),
    ],
)
async def test_while_vault_is_away_known_values_are_read_and_writes_refused(
    openbao: OpenBao, kept: SecretService, tmp_path: Path,
    fault: Callable[[OpenBao], None], mend: Callable[[OpenBao], None], reason: str,
) -> None:  # fmt: skip
    config = Config(service=Service(data_dir=tmp_path))
    health = Health(config)
    health.add("store", kept.check)
    await asyncio.to_thread(fault, openbao)
    try:
        assert await get(kept) == await get(kept, version=1) == b"known"
        assert audited(config)[-1] == ("get", PATH, 1, "cached")
        for call in (put(kept), delete(kept), get(kept, "llm/unread"), kept.list(EVERYTHING), kept.check()):
            refusal = await refusal_of(call)
            assert refusal.code is Code.UNAVAILABLE
            assert reason in refusal.message
        assert reason in str((await health.report()).dependencies["store"].reason)
    finally:
        await asyncio.to_thread(mend, openbao)
    await succeeds(kept.check)
    # A frozen server may still do what it was asked before it froze.
    assert await put(kept, value=b"later") > 1
    assert await get(kept) == b"later"
    assert audited(config)[-1][3] == "ok"


@pytest.mark.case(11)
@pytest.mark.parametrize(
    ("fault", "mend"), [(OpenBao.stop, OpenBao.start), (OpenBao.seal, OpenBao.unseal), (OpenBao.freeze, OpenBao.thaw)]
)
async def test_vault_that_is_away_at_the_start_is_used_once_it_is_there(
    openbao: OpenBao, vault: Vault, tmp_path: Path, replica: Open,
    fault: Callable[[OpenBao], None], mend: Callable[[OpenBao], None],
) -> None:  # fmt: skip
    await asyncio.to_thread(fault, openbao)
    try:
        secrets = await replica(over(vault, tmp_path))
        assert (await refusal_of(secrets.check())).code is Code.UNAVAILABLE
        watch = secrets.watch(EVERYTHING)
        first = asyncio.create_task(changes(watch, 1))
    finally:
        await asyncio.to_thread(mend, openbao)
    assert await succeeds(lambda: put(secrets)) == 1
    assert await first == [(PATH, 1)]
    await secrets.check()


async def test_known_values_are_given_out_for_the_configured_time_since_vault_confirmed_them(openbao: OpenBao) -> None:
    now = 0.0
    with (
        closing(VaultStore(openbao.settings(cache_seconds=300), clock=lambda: now)) as store,
        closing(VaultStore(openbao.settings(cache_seconds=0), clock=lambda: now)) as forgetful,
    ):
        for each in (store, forgetful):
            await each.put(PATH, b"known")
        now = 250
        await store.entries()
        await asyncio.to_thread(openbao.stop)
        try:
            now = 549
            assert await store.get(PATH) == Found(1, b"known", cached=True)
            assert (await refusal_of(forgetful.get(PATH))).code is Code.UNAVAILABLE
            now = 551
            assert (await refusal_of(store.get(PATH))).code is Code.UNAVAILABLE
        finally:
            await asyncio.to_thread(openbao.start)
        now = 560
        assert await succeeds(lambda: store.get(PATH)) == Found(1, b"known")


async def test_a_server_that_trickles_its_answer_does_not_hold_a_call(vault: Vault) -> None:
    """Each byte comes in time, the answer never does: no timeout of a socket ends that."""

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nx: ")
            for _count in range(200):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    slow = vault.model_copy(update={"address": address, "timeout": 300})
    with closing(VaultStore(slow)) as store:
        for call in (store.get(PATH), store.check(), store.entries(), store.put(PATH, b"x")):
            assert "did not answer within 0.3 s" in (await refusal_of(call)).message
    server.close()


async def test_a_value_that_was_replaced_or_deleted_elsewhere_is_not_given_out_of_memory(
    openbao: OpenBao, vault: Vault, kept: SecretService
) -> None:
    watch = kept.watch(EVERYTHING)
    assert await changes(watch, 1) == [(PATH, 1)]
    openbao.root.secrets.kv.v2.create_or_update_secret(f"{vault.prefix}/{PATH}", {"value": "rotated"})
    assert await changes(watch, 1) == [(PATH, 2)]
    await asyncio.to_thread(openbao.stop)
    try:
        assert (await refusal_of(get(kept))).code is Code.UNAVAILABLE
    finally:
        await asyncio.to_thread(openbao.start)


# Logging in


async def test_a_revoked_token_is_replaced_by_a_new_login(openbao: OpenBao, kept: SecretService) -> None:
    openbao.revoke_logins()
    assert await asyncio.gather(*(get(kept) for _ in range(8))) == [b"known"] * 8
    openbao.revoke_logins()
    assert await put(kept, expected_version=1) == 2


async def test_a_refused_secret_id_is_said_and_a_new_one_in_its_file_needs_no_restart(
    openbao: OpenBao, tmp_path: Path, replica: Open
) -> None:
    file = tmp_path / "secret-id"
    settings = openbao.settings(secret_id=None, secret_id_file=str(file))
    secrets = await replica(over(settings, tmp_path))
    assert "secret_id_file cannot be read" in (await refusal_of(secrets.check())).message
    file.write_text("wrong")
    for call in (secrets.check(), get(secrets), put(secrets)):
        refusal = await refusal_of(call)
        assert (refusal.code, refusal.message[:40]) == (Code.UNAVAILABLE, "Vault refuses the role id or the secret ")
    file.write_text(openbao.secret_id() + "\n")
    assert await put(secrets) == 1


async def test_a_wrapped_secret_id_is_unwrapped_once_and_kept(openbao: OpenBao, tmp_path: Path, replica: Open) -> None:
    settings = openbao.settings(secret_id=openbao.wrapped_secret_id(), secret_id_wrapped=True)
    secrets = await replica(over(settings, tmp_path))
    await put(secrets)
    openbao.revoke_logins()
    assert await get(secrets) == b"value"
    late = await replica(over(settings, tmp_path))
    assert "was unwrapped before" in (await refusal_of(late.check())).message


async def test_a_token_is_used_renewed_and_missed(openbao: OpenBao, tmp_path: Path, replica: Open) -> None:
    token = openbao.root.auth.token.create(policies=["llm-platform"], ttl="1h")["auth"]["client_token"]
    secrets = await replica(over(openbao.settings(token=token), tmp_path))
    assert await put(secrets) == 1
    openbao.root.auth.token.revoke(token)
    refusal = await refusal_of(get(secrets))
    assert (refusal.code, refusal.message) == (Code.UNAVAILABLE, "Vault refuses the token; configure a new one.")


@pytest.mark.parametrize("kind", ["service", "batch"])
def test_a_token_near_its_end_is_renewed_or_replaced(openbao: OpenBao, kind: str) -> None:
    openbao.role(kind, token_ttl="60s", token_type=kind)
    now = 0.0
    session = VaultSession(openbao.settings(kind), 1, clock=lambda: now)

    def look(client: Any) -> tuple[str, bool]:
        return client.token, "last_renewal" in client.auth.token.lookup_self()["data"]

    first, renewed = session(look)
    assert not renewed
    assert session(look) == (first, False)
    now = 41.0
    token, renewed = session(look)
    # Batch tokens cannot be renewed.
    assert (token == first, renewed) == ((True, True) if kind == "service" else (False, False))
    session.close()


async def test_what_the_policy_does_not_permit_is_said_and_not_answered_from_memory(
    openbao: OpenBao, tmp_path: Path, replica: Open
) -> None:
    openbao.role("losing")
    secrets = await replica(over(openbao.settings("losing"), tmp_path))
    await put(secrets)
    await get(secrets)
    openbao.role("losing", policies=())
    openbao.revoke_logins()
    for call in (get(secrets), put(secrets), secrets.check()):
        refusal = await refusal_of(call)
        assert refusal.code is Code.PERMISSION_DENIED
        assert "policy" in refusal.message


@pytest.mark.parametrize(
    ("mount", "policies", "code", "hint"),
    [
        ("old", ("llm-platform", "v1"), Code.UNAVAILABLE, "no KV engine of version 2 at old/"),
        ("nothing", ("unmounted",), Code.UNAVAILABLE, "no KV engine of version 2 at nothing/"),
        ("elsewhere", ("llm-platform",), Code.PERMISSION_DENIED, "vault.mount"),
    ],
)
async def test_a_wrong_mount_is_said(
    openbao: OpenBao, tmp_path: Path, replica: Open, mount: str, policies: tuple[str, ...], code: Code, hint: str
) -> None:
    openbao.root.sys.create_or_update_policy("v1", 'path "old/*" { capabilities = ["read", "list", "create"] }')
    openbao.role("wrong", policies)
    secrets = await replica(over(openbao.settings("wrong", mount=mount), tmp_path))
    for call in (get(secrets), secrets.check(), secrets.list(EVERYTHING)):
        refusal = await refusal_of(call)
        assert refusal.code is code
        assert hint in refusal.message


async def test_the_environment_of_the_process_changes_nothing(
    kept: SecretService, vault: Vault, tmp_path: Path, replica: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"VAULT_TOKEN": "x", "VAULT_ADDR": "http://x", "HTTPS_PROXY": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing"))
    assert await get(await replica(over(vault, tmp_path))) == b"known"
    assert not VaultSession(vault, 1)._client.token  # hvac would take the environment's


async def test_a_namespace_is_a_vault_of_its_own(openbao: OpenBao, tmp_path: Path, replica: Open) -> None:
    openbao.root.write("sys/namespaces/team")
    token = openbao.make_engine("team")
    secrets = await replica(over(openbao.settings(token=token, namespace="team"), tmp_path))
    assert await put(secrets) == 1
    outside = await replica(over(openbao.settings(token=token), tmp_path))
    assert (await refusal_of(outside.check())).code in (Code.PERMISSION_DENIED, Code.UNAVAILABLE)


async def test_a_certificate_of_a_strangers_authority_is_not_trusted(
    openbao: OpenBao, tmp_path: Path, replica: Open
) -> None:
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(issue_authority("stranger.test").pem)
    secrets = await replica(over(openbao.settings(authority=str(stranger)), tmp_path))
    assert "not trusted" in (await refusal_of(secrets.check())).message


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_an_authority_that_cannot_be_read_stops_the_start(
    openbao: OpenBao, tmp_path: Path, replica: Open, content: str | None
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UnusableAuthorityError, match=r"authority\.pem"):
        await replica(over(openbao.settings(authority=str(file)), tmp_path))


@pytest.mark.case(21)
async def test_no_value_token_or_secret_id_is_shown_anywhere(openbao: OpenBao, tmp_path: Path) -> None:
    canary = "canary-4711-do-not-show"
    settings = openbao.settings()
    assert settings.secret_id is not None
    told: list[object] = [settings]
    with capture_logs() as logs:
        async with open_secrets(over(settings, tmp_path)) as secrets:
            await put(secrets, value=canary.encode())
            await get(secrets)
            told += [vars(secrets._store), secrets._store._cache]  # type: ignore[attr-defined]
            token = secrets._store._session._client.token  # type: ignore[attr-defined]
            told.append(await refusal_of(put(secrets, value=canary.encode(), expected_version=9)))
            await asyncio.to_thread(openbao.seal)
            try:
                told.append(await refusal_of(put(secrets, value=canary.encode())))
                told.append(await refusal_of(get(secrets, version=7)))
            finally:
                await asyncio.to_thread(openbao.unseal)
    refusals = [error for error in told if isinstance(error, Exception)]
    shown = f"{logs}{told!r}{[(error.__cause__, error.__context__) for error in refusals]!r}"
    files = (tmp_path / "audit.log").read_bytes()
    assert [file.name for file in sorted(tmp_path.glob("*"))] == ["audit.log"]  # noqa: ASYNC240 - a test may block
    for secret in (canary, token, settings.secret_id.get_secret_value()):
        assert secret not in shown
        assert secret.encode() not in metrics.exposition() + files
