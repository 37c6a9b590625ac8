"""Certificates are replaced while calls go on: no restart, no failed call."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from llm_platform.billing.interfaces import LEDGER, Ledger
from llm_platform.core import pki
from llm_platform.proto import ledger_pb2
from llm_platform.rpc.client import Peers
from llm_platform.rpc.credentials import Certificates
from tests.integration.rpc.conftest import TRUST_DOMAIN, Everything, Site, until


class Traffic:
    """Calls without a pause, and counts them; a failed call fails the test."""

    def __init__(self) -> None:
        self.calls = 0

    async def run(self, ledger: Ledger) -> None:
        while True:
            await ledger.reserve(ledger_pb2.ReserveBatch())
            self.calls += 1
            await asyncio.sleep(0.005)

    async def goes_on(self) -> None:
        seen = self.calls
        await until(lambda: self.calls >= seen + 10)


@asynccontextmanager
async def calling(ledger: Ledger) -> AsyncIterator[Traffic]:
    traffic = Traffic()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(traffic.run(ledger))
        yield traffic
        running.cancel()


async def presented(site: Site, port: int) -> int:
    """The serial number of the certificate that a server shows to a new connection."""
    tls = site.tls("operator")
    context = ssl.create_default_context(cafile=tls.authority)
    context.load_cert_chain(tls.certificate, tls.key)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=f"billing.{TRUST_DOMAIN}")
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(shown).serial_number


def serial(bundle: pki.Bundle) -> int:
    return x509.load_pem_x509_certificate(bundle.certificate).serial_number


async def test_a_server_shows_a_renewed_certificate_to_new_connections(site: Site) -> None:
    async with (
        site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies()))) as serving,
        Peers(site.config("head", billing=[serving.port])) as peers,
        calling(peers.remote(LEDGER)) as traffic,
    ):
        await traffic.goes_on()
        renewed = pki.issue_certificate(site.authority, "billing")
        assert await presented(site, serving.port) != serial(renewed)
        site.renew("billing", renewed)
        assert await presented(site, serving.port) == serial(renewed)
        await traffic.goes_on()


async def test_a_client_opens_a_new_channel_with_a_renewed_certificate_while_calls_go_on(site: Site) -> None:
    with capture_logs() as logs:
        async with (
            site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies()))) as serving,
            Peers(site.config("head", billing=[serving.port])) as peers,
            calling(peers.remote(LEDGER)) as traffic,
        ):
            await traffic.goes_on()
            site.renew("head", pki.issue_certificate(site.authority, "head"))
            await until(lambda: any(line["event"] == "channel replaced" for line in logs))
            await traffic.goes_on()


async def test_the_authority_is_changed_in_three_steps_while_calls_go_on(site: Site) -> None:
    """Trust both, then issue from the new one, then trust the new one only; in any order of the two services."""
    old, new = site.authority, pki.issue_authority(TRUST_DOMAIN)
    services = ("billing", "head")
    steps: list[Callable[[str], pki.Bundle]] = [
        lambda service: pki.issue_certificate(old, service).trusting(old, new),
        lambda service: pki.issue_certificate(new, service).trusting(old, new),
        lambda service: pki.issue_certificate(new, service),
    ]
    with capture_logs() as logs:
        async with (
            site.serving("billing", (LEDGER, Everything(ledger_pb2.ReserveReplies()))) as serving,
            Peers(site.config("head", billing=[serving.port])) as peers,
            calling(peers.remote(LEDGER)) as traffic,
        ):
            for number, bundle_of in enumerate(steps, start=1):
                for service in services if number % 2 else reversed(services):
                    site.renew(service, bundle_of(service))
                    await traffic.goes_on()
                await until(lambda: sum(line["event"] == "channel replaced" for line in logs) >= number)  # noqa: B023
                await traffic.goes_on()


async def test_half_replaced_files_leave_the_last_good_ones_in_use(site: Site) -> None:
    tls = site.tls("head")
    certificates = Certificates(tls)
    good = certificates.material
    renewed = pki.issue_certificate(site.authority, "head")
    tls.certificate.write_bytes(renewed.certificate)
    with capture_logs() as logs:
        assert certificates.refresh() is good
        assert certificates.refresh() is good
    assert [line["reason"] for line in logs] == ["the key does not belong to the certificate"]
    tls.key.write_bytes(renewed.key)
    assert certificates.refresh().certificate == renewed.certificate


async def test_files_that_vanish_leave_the_last_good_ones_in_use(site: Site) -> None:
    tls = site.tls("head")
    certificates = Certificates(tls)
    good = certificates.material
    tls.certificate.unlink()
    assert certificates.refresh() is good
    renewed = pki.issue_certificate(site.authority, "head")
    site.renew("head", renewed)
    assert certificates.refresh().certificate == renewed.certificate
    assert certificates.days_left() == pytest.approx(90, abs=0.1)
