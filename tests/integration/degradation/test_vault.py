"""OpenBao fails under all services (docs/degradation.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from llm_platform.core.errors import Code, PlatformError
from llm_platform.proto import secrets_pb2
from llm_platform.secrets_service.interfaces import SECRETS, Secrets
from tests.integration.degradation.platform import ANSWER_SECONDS, Platform, down, frozen, full, slow
from tests.simulator.server import KEY

PATH = "llm/openai/api_key"


@contextmanager
def without_places(platform: Platform) -> Iterator[None]:
    """It takes no more connections."""
    platform.vault_proxy.places = 0
    platform.vault_proxy.cut()
    try:
        yield
    finally:
        platform.vault_proxy.places = None


@contextmanager
def sealed(platform: Platform) -> Iterator[None]:
    platform.vault.seal()
    try:
        yield
    finally:
        platform.vault.unseal()


AWAY: dict[str, tuple[Callable[[Platform], AbstractContextManager[None]], str]] = {
    "down": (lambda at: down(at.vault), "cannot be reached"),
    "slow": (lambda at: slow(at.vault_proxy), "did not answer within"),
    "frozen": (lambda at: frozen(at.vault), "did not answer within"),
    "no-connections": (without_places, "cannot be reached"),
    "sealed": (sealed, "is sealed; unseal it"),
}
"""How it is done, and what secrets-service says of it."""


@pytest.mark.case(12)
@pytest.mark.parametrize("fault", AWAY)
def test_callers_notice_nothing_and_known_secrets_are_given_out(platform: Platform, fault: str) -> None:
    happens, reason = AWAY[fault]
    platform.serves()
    assert read(platform) == KEY
    with platform.open_stream() as stream, happens(platform):
        platform.becomes("secrets-service", "not_ready", f"Vault {reason}")
        assert platform.metric("secrets-service", "llm_dependency_up", dependency="store") == 0
        assert platform.complete().status == 200
        assert read(platform) == KEY
        assert refused(platform) == Code.UNAVAILABLE
        assert stream.result(ANSWER_SECONDS).text.rstrip().endswith("data: [DONE]")
        if fault == "down":
            platform.restart("model-proxy")  # which gets the key from the memory of secrets-service
            platform.serves()
    heals(platform)


def test_read_only_secrets_are_read_and_no_more(platform: Platform) -> None:
    with platform.vault.read_only():
        assert read(platform) == KEY
        assert refused(platform) == Code.PERMISSION_DENIED
        assert platform.complete().status == 200
        assert platform.readiness("secrets-service")[0] == "ready"  # it reads, which is all that requests need
    heals(platform)


def test_disk_full_secrets_are_read_and_no_more(platform: Platform) -> None:
    """It gives up its leadership at the first write that finds no place, and takes it again later."""
    with full(platform.vault_disk):
        with pytest.raises(PlatformError) as refusal:
            platform.as_operator(SECRETS, write_much)
        assert refusal.value.code is Code.UNAVAILABLE
        assert read(platform) == KEY
        assert platform.complete().status == 200
    heals(platform)


def test_restarted_with_other_data_it_refuses_the_login_until_the_right_data_is_back(platform: Platform) -> None:
    with platform.vault.other_data():
        platform.becomes("secrets-service", "not_ready", "Vault refuses the role id or the secret id")
        assert platform.metric("secrets-service", "llm_dependency_up", dependency="store") == 0
        assert platform.complete().status == 200  # model-proxy goes on with the key it has
        with pytest.raises(PlatformError) as refusal:
            read(platform)  # a login that is refused is no outage: nothing is given out from memory
        assert refusal.value.code is Code.UNAVAILABLE
    heals(platform)


@pytest.mark.case(11)
def test_down_at_boot_it_is_used_once_it_is_there(platform: Platform) -> None:
    with down(platform.vault):
        platform.restart("secrets-service", ready=False)
        platform.becomes("secrets-service", "not_ready", "Vault cannot be reached")
        platform.restart("model-proxy", ready=False)
        refusal = platform.refusal()  # there is no key for the provider, in nobody's memory
        assert refusal.status == 503
        assert refusal.retry_after > 0
    heals(platform)


def heals(platform: Platform) -> None:
    platform.becomes("secrets-service", "ready")
    platform.serves()
    assert put(platform) > 0
    platform.books_match()


def read(platform: Platform) -> str:
    """The provider's key, as model-proxy is given it."""
    asked = secrets_pb2.GetSecretRequest(path=PATH)
    secret: secrets_pb2.Secret = platform.as_service("model-proxy", SECRETS, lambda secrets: secrets.get(asked))
    return secret.value.decode()


async def write_much(secrets: Secrets) -> None:
    """More than there is place for, also in pages of its files that are free."""
    for _ in range(500):
        await secrets.put(secrets_pb2.PutSecretRequest(path="test/much", value=b"x" * 60_000))


def put(platform: Platform) -> int:
    """The version written, as ``llm-gateway secrets set`` does."""
    return int(platform.fleet.command("secrets", "set", "test/written", stdin="value")["version"])


def refused(platform: Platform) -> str:
    """How a write is."""
    with pytest.raises(AssertionError, match="secrets set") as refusal:
        put(platform)
    return next(code for code in Code if f"{code}" in str(refusal.value))
