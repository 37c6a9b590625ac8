"""A provider's key is replaced while calls are made: none of them fails, whoever changes first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from llm_platform.core import metrics
from llm_platform.core.config import Config, Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.model_proxy import keys
from llm_platform.model_proxy.app import ModelProxy, open_model_proxy
from llm_platform.model_proxy.keys import ProviderKey
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service.app import open_secrets
from llm_platform.secrets_service.service import SecretService
from tests.simulator import Simulator
from tests.unit.model_proxy.parts import MemoryLedger, call_of, configuration, read, request, until

PATH = "llm/sim/api_key"
OLD, NEW = "sk-the-old-key-of-the-provider", "sk-the-new-key-of-the-provider"


@asynccontextmanager
async def over(
    directory: Path, simulator: Simulator, ledger: MemoryLedger
) -> AsyncIterator[tuple[ModelProxy, SecretService]]:
    """A model-proxy over a real secrets-service that has the old key."""
    async with open_secrets(Config(service=Service(data_dir=directory / "secrets"))) as secrets:
        await secrets.put(secrets_pb2.PutSecretRequest(path=PATH, value=OLD.encode()))
        async with open_model_proxy(configuration(directory / "proxy", simulator), secrets, ledger) as proxy:
            yield proxy, secrets


async def rotate(secrets: SecretService, overlap: int) -> None:
    await secrets.rotate(secrets_pb2.RotateSecretRequest(path=PATH, value=NEW.encode(), overlap_seconds=overlap))


class Load:
    """Calls, one after the other in each of four lines, until it is left; ``failures`` are what went wrong."""

    def __init__(self, proxy: ModelProxy) -> None:
        self._proxy = proxy
        self._stopping = False
        self._lines: list[asyncio.Task[None]] = []
        self.done = 0
        self.failures: list[PlatformError] = []

    async def __aenter__(self) -> Load:
        self._lines = [asyncio.create_task(self._call(stream=bool(number % 2))) for number in range(4)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping = True
        await asyncio.gather(*self._lines)

    async def more(self, calls: int) -> None:
        """Returns when so many more have been made."""
        wanted = self.done + calls
        await until(lambda: self.done >= wanted, seconds=15)

    async def _call(self, *, stream: bool) -> None:
        while not self._stopping:
            try:
                await read(
                    await self._proxy.inference.open(call_of(stream=stream, forbid_retry=True), request(stream=stream))
                )
            except PlatformError as error:
                self.failures.append(error)
            self.done += 1


@pytest.mark.parametrize("first", ["platform", "provider"])
async def test_a_key_is_rotated_under_load_without_a_failed_call(
    tmp_path: Path, simulator: Simulator, ledger: MemoryLedger, first: str
) -> None:
    simulator.keys = {OLD}
    async with over(tmp_path, simulator, ledger) as (proxy, secrets):
        async with Load(proxy) as load:
            await load.more(40)
            if first == "platform":
                await rotate(secrets, overlap=3600)
                await load.more(40)
            simulator.keys = {OLD, NEW}
            await load.more(40)
            if first == "provider":
                await rotate(secrets, overlap=3600)
                await load.more(40)
            simulator.keys = {NEW}
            await load.more(40)
        await proxy.drain()  # billing knows of all
    assert not load.failures
    # Each call of the provider stands in the ledger once, those it refused too.
    outcomes = ledger.outcomes.values()
    assert sum(each.result == "completed" for each in outcomes) == load.done
    assert {each.status for each in outcomes if each.result == "failed"} <= {401}
    assert not [each for each in simulator.record.calls if each.repeated]


async def test_a_provider_that_no_longer_takes_the_old_key_before_the_change_is_told_here(
    tmp_path: Path, simulator: Simulator, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refused call itself asks for a newer key."""
    simulator.keys = {OLD}
    async with over(tmp_path, simulator, ledger) as (proxy, secrets):
        await read(await proxy.inference.open(call_of(), request()))
        monkeypatch.setattr(secrets._changes, "changed", lambda: None)
        monkeypatch.setattr(secrets._changes._poller, "_seconds", 3600)
        await asyncio.sleep(0.6)  # the poller waits for its hour now
        simulator.keys = {NEW}
        await rotate(secrets, overlap=0)
        call = call_of()
        await read(await proxy.inference.open(call, request()))
        outcomes = await ledger.closing(call.route.reservation_id)
        assert [(each.status, each.final) for each in outcomes] == [(401, False), (200, True)]


async def test_after_the_overlap_a_refused_key_is_a_failure_of_the_provider(
    tmp_path: Path, simulator: Simulator, ledger: MemoryLedger
) -> None:
    simulator.keys = {OLD}
    async with over(tmp_path, simulator, ledger) as (proxy, secrets):
        await rotate(secrets, overlap=1)
        with pytest.raises(PlatformError) as refused:  # noqa: PT012 - until the overlap is over
            while True:
                await read(await proxy.inference.open(call_of(), request()))
                await asyncio.sleep(0.05)
        assert refused.value.code is Code.PROVIDER_AUTHENTICATION
        [health] = [each for each in (await proxy.providers.health(None)).items if each.name == "sim"]  # type: ignore[arg-type]
        assert health.failures


async def test_a_fallback_is_counted_told_and_no_failure_of_the_provider(
    tmp_path: Path, simulator: Simulator, ledger: MemoryLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.keys = {OLD}
    before = metrics.provider_key_fallbacks.labels("sim")._value.get()
    async with over(tmp_path, simulator, ledger) as (proxy, secrets):
        await rotate(secrets, overlap=3600)
        await until(lambda: (tmp_path / "secrets" / "audit.log").read_text().count('"get"') >= 3)
        for _ in range(5):
            await read(await proxy.inference.open(call_of(), request()))
        [health] = [each for each in (await proxy.providers.health(None)).items if each.name == "sim"]  # type: ignore[arg-type]
        assert (health.failures, health.successes) == (0, 5)
    # The refused one is set aside for a while: the provider is not asked with it by every call.
    assert metrics.provider_key_fallbacks.labels("sim")._value.get() == before + 1
    output = capsys.readouterr()
    assert output.out.count("the provider refuses a key") == 1
    assert OLD not in output.out + output.err
    assert NEW not in output.out + output.err


async def test_a_key_that_nobody_replaced_is_not_asked_for_by_every_refused_call(
    tmp_path: Path, simulator: Simulator, ledger: MemoryLedger
) -> None:
    simulator.keys = {NEW}
    async with over(tmp_path, simulator, ledger) as (proxy, _):
        calls = (proxy.inference.open(call_of(), request()) for _ in range(20))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert {each.code for each in answers if isinstance(each, PlatformError)} <= {
            Code.PROVIDER_AUTHENTICATION,
            Code.NO_HEALTHY_PROVIDERS,
        }
        assert (tmp_path / "secrets" / "audit.log").read_text().count('"get"') <= 4


async def test_a_refused_key_is_tried_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "REFUSED_SECONDS", 0.05)
    key = ProviderKey("sim", None)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    overlap = [secrets_pb2.OverlappingSecret(version=1, value=b"old", valid_until=soon)]
    key.store(secrets_pb2.Secret(version=2, value=b"new", overlapping=overlap))
    newest = key.current
    assert newest is not None
    other = await key.another([newest], newest)
    assert other is not None
    assert (other.reveal(), key.current) == ("old", other)
    assert await key.another([newest, other], other) is None
    assert key.current == newest  # all are refused: the newest
    await asyncio.sleep(0.06)
    assert key.current == newest


async def test_a_key_whose_overlap_is_over_is_not_used_although_nobody_said_so() -> None:
    key = ProviderKey("sim", None)
    past = secrets_pb2.OverlappingSecret(version=1, value=b"old", valid_until="2020-01-01T00:00:00.000Z")
    key.store(secrets_pb2.Secret(version=2, value=b"new", overlapping=[past]))
    newest = key.current
    assert newest is not None
    assert await key.another([newest], newest) is None
