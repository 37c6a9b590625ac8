"""Certificates that must not be accepted, on either side, and what each side says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from llm_platform.billing.interfaces import LEDGER
from llm_platform.core import pki
from llm_platform.core.config import Config, Listen, Service
from llm_platform.core.errors import Code, PlatformError
from llm_platform.core.lifecycle import Runtime
from llm_platform.proto import ledger_pb2
from llm_platform.rpc.client import Peers, open_channel
from llm_platform.rpc.server import serve
from tests.integration.rpc.conftest import TRUST_DOMAIN, Everything, Serving, Site

Capture = pytest.CaptureFixture[str]
RESERVE = "/llm.v1.Ledger/Reserve"


@pytest_asyncio.fixture
async def billing(site: Site) -> AsyncIterator[Serving]:
    async with site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies()))) as serving:
        yield serving


async def reserve(config: Config, port: int) -> grpc.aio.AioRpcError | None:
    """Calls as ``config`` says; returns the failure."""
    async with open_channel(config, f"127.0.0.1:{port}", "billing") as channel:
        return await attempt(channel)


async def attempt(channel: grpc.aio.Channel) -> grpc.aio.AioRpcError | None:
    call: Any = channel.unary_unary(RESERVE)
    try:
        await call(b"", timeout=3)
    except grpc.aio.AioRpcError as error:
        return error
    return None


async def refused_in_handshake(error: grpc.aio.AioRpcError | None, capfd: Capture, reason: str) -> bool:
    """The client learns only that the connection ended; the server's log (gRPC's own, on stderr) has the reason."""
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    return reason in capfd.readouterr().err


def issued(directory: Path, bundle: pki.Bundle, service: str = "head") -> Config:
    return Config(service=Service(name=service), tls=pki.write_bundle(directory / "odd", bundle))


async def test_a_good_certificate_is_accepted(site: Site, billing: Serving) -> None:
    assert await reserve(site.config("head"), billing.port) is None


async def test_an_expired_client_certificate_is_refused(
    site: Site, billing: Serving, tmp_path: Path, capfd: Capture
) -> None:
    config = issued(tmp_path, pki.issue_certificate(site.authority, "head", days=-1))
    assert await refused_in_handshake(await reserve(config, billing.port), capfd, "certificate has expired")


async def test_a_client_certificate_of_another_authority_is_refused(
    site: Site, billing: Serving, tmp_path: Path, capfd: Capture
) -> None:
    foreign = pki.issue_certificate(pki.issue_authority(TRUST_DOMAIN), "head").trusting(site.authority)
    error = await reserve(issued(tmp_path, foreign), billing.port)
    assert await refused_in_handshake(error, capfd, "unable to get local issuer certificate")


async def test_a_client_without_a_certificate_is_refused(site: Site, billing: Serving, capfd: Capture) -> None:
    credentials = grpc.ssl_channel_credentials(site.authority.pem)
    options = [("grpc.ssl_target_name_override", f"billing.{TRUST_DOMAIN}")]
    async with grpc.aio.secure_channel(f"127.0.0.1:{billing.port}", credentials, options) as channel:
        error = await attempt(channel)
    assert await refused_in_handshake(error, capfd, "PEER_DID_NOT_RETURN_A_CERTIFICATE")


async def test_a_client_without_tls_is_refused(billing: Serving, capfd: Capture) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{billing.port}") as channel:
        error = await attempt(channel)
    assert await refused_in_handshake(error, capfd, "WRONG_VERSION_NUMBER")


async def test_a_client_of_another_trust_domain_is_refused_even_if_the_authority_signed_it(
    site: Site, billing: Serving, tmp_path: Path
) -> None:
    staging = pki.issue_certificate(site.authority, "head", trust_domain="staging.internal")
    config = issued(tmp_path, staging)
    assert config.tls is not None
    config = config.model_copy(update={"tls": config.tls.model_copy(update={"trust_domain": TRUST_DOMAIN})})
    with capture_logs() as logs:
        error = await reserve(config, billing.port)
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    refusal = next(line for line in logs if line["event"] == "call refused")
    assert (
        refusal["reason"] == f"spiffe://staging.internal/head is of another trust domain than spiffe://{TRUST_DOMAIN}/"
    )
    assert refusal["peer"].startswith("ipv4:127.0.0.1:")
    assert refusal["method"] == RESERVE


async def test_a_client_that_is_not_in_the_catalogue_is_refused(site: Site, billing: Serving, tmp_path: Path) -> None:
    with capture_logs() as logs:
        error = await reserve(issued(tmp_path, pki.issue_certificate(site.authority, "haed")), billing.port)
    assert error is not None
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    refusal = next(line for line in logs if line["event"] == "call refused")
    assert refusal["reason"] == f"spiffe://{TRUST_DOMAIN}/haed is neither a service nor a caller of the catalogue"


async def test_a_server_with_the_name_of_another_service_is_refused_by_its_clients(site: Site) -> None:
    impostor = site.tls("rate-limiter")
    async with site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies())), tls=impostor) as serving:
        error = await reserve(site.config("head"), serving.port)
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "Hostname Verification Check failed" in (error.details() or "")


async def test_an_expired_server_certificate_is_refused_by_its_clients(site: Site) -> None:
    tls = site.renew("billing", pki.issue_certificate(site.authority, "billing", days=-1))
    async with site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies())), tls=tls) as serving:
        error = await reserve(site.config("head"), serving.port)
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "certificate has expired" in (error.details() or "")


async def test_a_server_certificate_of_another_authority_is_refused_by_its_clients(site: Site) -> None:
    other = pki.issue_authority(TRUST_DOMAIN)
    tls = site.renew("billing", pki.issue_certificate(other, "billing").trusting(site.authority))
    async with site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies())), tls=tls) as serving:
        error = await reserve(site.config("head"), serving.port)
    assert error is not None
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "unable to get local issuer certificate" in (error.details() or "")


async def test_readiness_says_that_the_own_certificate_has_expired(site: Site, billing: Serving) -> None:
    site.renew("head", pki.issue_certificate(site.authority, "head", days=-2))
    async with Peers(site.config("head", billing=[billing.port])) as peers:
        ledger = peers.remote(LEDGER)
        with pytest.raises(PlatformError) as caught:
            await ledger.reserve(ledger_pb2.ReserveBatch())
        reason = await peers.health_check("billing")()
    assert caught.value.code is Code.UNAVAILABLE
    assert caught.value.retry_after == 1
    assert reason is not None
    assert "none of 1 endpoints of billing can be reached" in reason
    assert "the own certificate expired 2.0 days ago" in reason


async def test_readiness_says_why_a_peer_cannot_be_reached(site: Site) -> None:
    tls = site.renew("billing", pki.issue_certificate(site.authority, "billing", days=-1))
    async with (
        site.serving("billing", (LEDGER, Everything()), tls=tls) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
    ):
        check = peers.health_check("billing")
        with pytest.raises(PlatformError):
            await peers.remote(LEDGER).reserve(ledger_pb2.ReserveBatch())
        reason = await check()
    assert reason is not None
    assert "none of 1 endpoints of billing can be reached" in reason
    assert "certificate has expired" in reason


async def test_a_refused_service_tells_its_caller_nothing_about_access(site: Site, billing: Serving) -> None:
    """The end user of a platform that is set up wrong did nothing wrong: no 401 and no 403."""
    async with Peers(site.config("tail", billing=[billing.port])) as peers:
        with pytest.raises(PlatformError) as caught:
            await peers.remote(LEDGER).reserve(ledger_pb2.ReserveBatch())
    assert caught.value.code is Code.INTERNAL
    assert caught.value.message == "The service billing refused an internal call; its log has the reason."


async def test_files_that_are_missing_or_do_not_fit_stop_the_start(site: Site, tmp_path: Path) -> None:
    tls = site.tls("head")
    missing = tls.model_copy(update={"key": tmp_path / "nowhere.pem"})
    with pytest.raises(OSError, match=r"nowhere\.pem"):
        Peers(site.config("head", tls=missing))
    mixed = tls.model_copy(update={"key": site.tls("tail").key})
    with pytest.raises(PlatformError, match="the key does not belong to the certificate"):
        Peers(site.config("head", tls=mixed))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org"])
async def test_without_tls_a_server_listens_on_loopback_only(host: str) -> None:
    config = Config(service=Service(name="billing"), listen=Listen(host=host, grpc=0))
    with pytest.raises(PlatformError, match=f"Refusing to listen on {host} without mTLS"):
        await serve(Runtime(config), {0: [(LEDGER, Everything())]})


async def test_without_tls_a_client_connects_to_loopback_only() -> None:
    config = Config(peers={"billing": ["127.0.0.1:5", "10.0.0.1:5"]})
    with pytest.raises(PlatformError, match=r"Refusing to connect to 10\.0\.0\.1 without mTLS"):
        open_channel(config, "10.0.0.1:5", "billing")
    async with Peers(config) as peers:
        with pytest.raises(PlatformError, match=r"Refusing to connect to 10\.0\.0\.1 without mTLS"):
            peers.remote(LEDGER)


async def test_without_tls_calls_on_loopback_go_through() -> None:
    runtime = Runtime(Config(service=Service(name="billing"), listen=Listen(grpc=0)))
    ports = await serve(runtime, {0: [(LEDGER, Everything(ledger_pb2.ReserveReplies()))]})
    async with Peers(Config(peers={"billing": [f"127.0.0.1:{ports[0]}"]})) as peers:
        await peers.remote(LEDGER).reserve(ledger_pb2.ReserveBatch())
    await runtime.close()
