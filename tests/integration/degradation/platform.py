"""All services over their production stores, each of which can be made to fail."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from llm_platform.core.config import file as config_file
from llm_platform.proto import common_pb2
from llm_platform.rpc.client import Peers
from llm_platform.rpc.port import Port
from tests.compat.entries import simulator
from tests.fleet import Fleet
from tests.fleet.ledger import ledger_of, settled_entries
from tests.integration.conftest import eventually
from tests.servers.openbao import OpenBao
from tests.servers.postgresql import PostgresqlServer
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer
from tests.servers.volume import Volume
from tests.simulator.server import KEY

SERVICES = ("secrets-service", "auth-service", "billing", "rate-limiter", "model-proxy", "head", "tail")
ANSWER_SECONDS = 15
"""The longest a caller waits for any answer: far above every limit in time of the code, far below for ever."""
HEAL_SECONDS = 60

Interface = TypeVar("Interface")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Answer:
    """What a caller sees."""

    status: int
    code: str
    fault: str
    message: str
    retry_after: float
    text: str


class Server(Protocol):
    """A store's server."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


class Platform:
    """Use it as a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self._callers = ThreadPoolExecutor(4)

    def __enter__(self) -> Platform:
        with ExitStack() as stack:
            enter = stack.enter_context
            self.postgresql_disk, self.redis_disk, self.vault_disk = (enter(Volume(size)) for size in (48, 8, 64))
            self.postgresql = enter(PostgresqlServer())
            files = (f"dir {self.redis_disk.path}", "appendonly yes", "appendfsync everysec")
            self.redis = enter(RedisServer(*files))
            self.vault = enter(OpenBao(self.vault_disk.path))
            self.postgresql_proxy, self.redis_proxy, self.vault_proxy = (
                enter(Proxy(server.port)) for server in (self.postgresql, self.redis, self.vault)
            )
            self.database = self.postgresql.make_database(self.postgresql_disk.path)
            self._simulator = enter(simulator()).removesuffix("/v1")
            self.vault_settings = self.vault.settings()
            self.vault.root.secrets.kv.v2.create_or_update_secret(
                f"{self.vault_settings.prefix}/llm/openai/api_key", {"value": KEY}, mount_point="secret"
            )
            self.fleet = enter(Fleet(self._directory, settings=self._settings(), services=SERVICES))
            self.fleet.command("bootstrap")
            self.key = self.fleet.create_key()
            self.unseen_key = self.fleet.create_key("unseen")
            """No request was made with it."""
            self.limited_key = self.fleet.create_key("limited", "--tpm", "1000000", "--concurrency", "50")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._callers.shutdown()
        self._stack.close()

    def _settings(self) -> dict[str, Any]:
        url = self.postgresql.of_service(self.database)
        url = url.replace(f":{self.postgresql.port}/", f":{self.postgresql_proxy.port}/")
        vault = self.vault_settings
        assert vault.secret_id is not None
        return {
            "providers": {
                "openai": {
                    "type": "openai",
                    "base_url": f"{self._simulator}/v1",
                    "retry_count": 0,
                    "models": {"sim": "sim", "slow": "sim+pace=0.4"},
                }
            },
            "billing": {"unknown_price": "free"},
            "routing": {"default_model": "sim"},
            # So long that it is the ledger that refuses.
            "auth": {"key_cache_seconds": 60},
            "stores": {
                "accounts_url": url,
                "ledger_url": url,
                "limits_url": f"redis://127.0.0.1:{self.redis_proxy.port}/0",
            },
            "vault": {
                "address": f"https://127.0.0.1:{self.vault_proxy.port}",
                "authority": str(vault.authority),
                "prefix": vault.prefix,
                "role_id": vault.role_id,
                "secret_id": vault.secret_id.get_secret_value(),
                "timeout": 1500,
            },
        }

    # As a caller

    def complete(self, key: str | None = None, *, model: str = "sim", stream: bool = False) -> Answer:
        """A completion, or the error instead."""
        body = {
            "model": model,
            "messages": [{"role": "user", "content": "Tell me about foxes."}],
            "max_tokens": 100,
            "stream": stream,
        }
        return self._ask("/v1/chat/completions", key, json.dumps(body).encode())

    def list_models(self, key: str | None = None) -> Answer:
        """Needs a known key, and neither limits, nor money, nor a provider."""
        return self._ask("/v1/models", key)

    @contextmanager
    def open_stream(self) -> Iterator[Future[Answer]]:
        """A stream that is under way, and ends a few seconds later."""
        calls = len(self.calls())
        stream = self._callers.submit(self.complete, model="slow", stream=True)
        eventually(lambda: len(self.calls()) > calls, "the stream is under way")
        yield stream

    def refusal(self) -> Answer:
        """The first completion that is refused: what happens may take a moment to be felt."""
        for _ in range(2000):
            if (answer := self.complete()).status != 200:
                return answer
        raise AssertionError("nothing is refused")

    def serves(self) -> None:
        """Returns once a caller is served again."""
        eventually(lambda: self.complete().status == 200, "a completion", HEAL_SECONDS)

    def _ask(self, path: str, key: str | None, body: bytes | None = None) -> Answer:
        headers = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.fleet.url('tail-1')}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as response:
                return Answer(response.status, "", "", "", 0, response.read().decode())
        except urllib.error.HTTPError as refused:
            text = refused.read().decode()
            error = json.loads(text)["error"]
            retry_after = float(refused.headers.get("retry-after") or 0)
            return Answer(
                refused.code, error["code"], refused.headers["x-error-fault"], error["message"], retry_after, text
            )

    # As the provider

    def calls(self) -> list[dict[str, Any]]:
        """What reached it."""
        with urllib.request.urlopen(f"{self._simulator}/record", timeout=10) as response:
            found: list[dict[str, Any]] = json.load(response)
            return found

    # As an operator

    def readiness(self, service: str) -> tuple[str, str]:
        """What ``/ready`` says: the state, and the reasons of all that is not well."""
        try:
            with urllib.request.urlopen(f"{self._side(service)}/ready", timeout=ANSWER_SECONDS) as response:
                report = json.load(response)
        except urllib.error.HTTPError as error:
            report = json.load(error)
        except urllib.error.URLError as error:
            return "nobody", str(error)
        return report["status"], "; ".join(each.get("reason") or "" for each in report["dependencies"].values())

    def metric(self, service: str, name: str, **labels: str) -> float:
        """-1: there is none."""
        with urllib.request.urlopen(f"{self._side(service)}/metrics", timeout=ANSWER_SECONDS) as response:
            families = text_string_to_metric_families(response.read().decode())
        for family in families:
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return -1

    def becomes(self, service: str, state: str, reason: str = "") -> None:
        """Returns once the service says so."""
        said: list[tuple[str, str]] = []

        def is_so() -> bool:
            said[:] = [self.readiness(service)]
            return said[0][0] == state and reason in said[0][1]

        try:
            eventually(is_so, f"{service} {state}: {reason}", HEAL_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {said}") from None

    def restart(self, *services: str, ready: bool = True) -> None:
        for service in services:
            process = self.fleet[f"{service}-1"]
            process.terminate()
            process.start()
        for service in services if ready else ():
            self.fleet[f"{service}-1"].wait_ready(HEAL_SECONDS)

    def books_match(self) -> None:
        """Returns once each call that reached the provider is charged exactly once; nothing else ever is."""

        async def settle() -> None:
            async with ledger_of(self.fleet) as ledger, asyncio.timeout(HEAL_SECONDS):
                while True:
                    entries = Counter(entry.attempt_id for entry in await settled_entries(ledger))
                    calls = {call["attempt_id"] for call in self.calls()}
                    assert entries.keys() <= calls
                    assert set(entries.values()) <= {1}
                    if entries.keys() == calls:
                        break
                    await asyncio.sleep(0.5)
                assert not (await ledger.verify(common_pb2.Empty())).problems

        asyncio.run(settle())

    def as_service(self, service: str, port: Port[Interface], work: Callable[[Interface], Any]) -> Any:
        """What a service with that certificate is answered."""
        return _called(self.fleet[f"{service}-1"].config, port, work)

    def as_operator(self, port: Port[Interface], work: Callable[[Interface], Any]) -> Any:
        """What the command line is answered."""
        return _called(self.fleet.operator_config, port, work)

    def _side(self, service: str) -> str:
        return f"http://127.0.0.1:{self.fleet[f'{service}-1'].http_port}"


def _called(config: Path, port: Port[Interface], work: Callable[[Interface], Any]) -> Any:
    async def call() -> Any:
        async with Peers(config_file.load(config, {})) as peers:
            return await work(peers.remote(port))

    return asyncio.run(call())


@contextmanager
def down(server: Server) -> Iterator[None]:
    server.stop()
    try:
        yield
    finally:
        server.start()


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextmanager
def slow(proxy: Proxy) -> Iterator[None]:
    """Each answer takes two seconds more."""
    proxy.delay = 2
    try:
        yield
    finally:
        proxy.delay = 0


@contextmanager
def full(disk: Volume) -> Iterator[None]:
    disk.fill()
    try:
        yield
    finally:
        disk.free()
