"""Vault that is down, sealed, frozen or failing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from llm_platform.core.config import Config, Service, Vault
from llm_platform.core.errors import Code
from llm_platform.core.health import Health
from llm_platform.secrets_service.interfaces import Found
from llm_platform.secrets_service.service import SecretService
from llm_platform.secrets_service.vault.store import VaultStore
from tests.integration.stores.vault.configuration import over
from tests.servers.openbao import OpenBao
from tests.unit.secrets_service.calls import (
    EVERYTHING,
    PATH,
    audited,
    changes,
    delete,
    describe,
    disable,
    enable,
    get,
    overlapping,
    put,
    refusal_of,
    rotate,
    succeeds,
    told,
)
from tests.unit.secrets_service.contract import Open


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
    await told(watch, PATH, 1)
    openbao.root.secrets.kv.v2.create_or_update_secret(f"{vault.prefix}/{PATH}", {"value": "rotated"})
    await told(watch, PATH, 2)
    await asyncio.to_thread(openbao.stop)
    try:
        assert (await refusal_of(get(kept))).code is Code.UNAVAILABLE
    finally:
        await asyncio.to_thread(openbao.start)


@pytest.mark.case(12)
async def test_an_old_key_that_ended_does_not_keep_the_newest_back_while_vault_is_away(
    openbao: OpenBao, kept: SecretService
) -> None:
    await put(kept, path="llm/other/api_key", value=b"other")
    assert await rotate(kept, path="llm/other/api_key", value=b"newer", overlap_seconds=3600) == 2
    assert await rotate(kept, value=b"newer", overlap_seconds=3) == 2
    both = [(2, b"newer"), (1, b"known")]
    assert await overlapping(kept) == both
    await disable(kept, 1, path="llm/other/api_key")
    assert await overlapping(kept, path="llm/other/api_key") == [(2, b"newer")]
    await asyncio.to_thread(openbao.stop)
    try:
        assert await overlapping(kept, path="llm/other/api_key") == [(2, b"newer")]
        async with asyncio.timeout(20):
            while (known := await overlapping(kept)) != [(2, b"newer")]:
                assert known == both
                await asyncio.sleep(0.1)
        assert (await refusal_of(get(kept, version=1))).code is Code.UNAVAILABLE
    finally:
        await asyncio.to_thread(openbao.start)
    await succeeds(kept.check)


@pytest.mark.case(12)
async def test_a_rotation_is_refused_while_vault_is_away_and_both_keys_of_an_earlier_one_are_known(
    openbao: OpenBao, kept: SecretService
) -> None:
    assert await rotate(kept, value=b"newer", overlap_seconds=3600) == 2
    both = [(2, b"newer"), (1, b"known")]
    assert await overlapping(kept) == both
    await asyncio.to_thread(openbao.stop)
    try:
        assert await overlapping(kept) == both
        for call in (
            rotate(kept), disable(kept, 1), enable(kept, 1), describe(kept, description="x"), delete(kept, version=1),
        ):  # fmt: skip
            refusal = await refusal_of(call)
            assert refusal.code is Code.UNAVAILABLE
            assert "Vault" in refusal.message
    finally:
        await asyncio.to_thread(openbao.start)
    await succeeds(kept.check)
    assert await overlapping(kept) == both
    assert await rotate(kept) == 3
