"""Which certificates are due, why, and what their requests ask for."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible.module_utils.certificates import Identity, days_left, names, prepare
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from llm_platform.core import pki

NOW = datetime.now(tz=UTC)
DOMAIN = "test.llm-platform.internal"


@pytest.fixture
def authority() -> pki.Authority:
    return pki.issue_authority(DOMAIN)


@pytest.fixture
def identity(tmp_path: Path, authority: pki.Authority) -> Identity:
    """tail, with a key and a certificate that the authority signed as the role pki does."""
    identity = Identity("tail", DOMAIN, tmp_path / "tail")
    prepare(identity, authority.pem.decode(), os.getuid())
    sign(identity, authority)
    return identity


def sign(identity: Identity, authority: pki.Authority, days: int = 365) -> None:
    request = x509.load_pem_x509_csr(identity.request(identity.key_or_new(os.getuid())).encode())
    builder = x509.CertificateBuilder(
        issuer_name=authority.certificate.subject,
        subject_name=request.subject,
        public_key=request.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=NOW - timedelta(days=400),
        not_valid_after=NOW + timedelta(days=days, minutes=1),
        extensions=list(request.extensions),
    )
    signed = builder.sign(authority.key, hashes.SHA256())
    file = identity.directory / "certificate.pem"
    file.unlink(missing_ok=True)
    file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def reason(identity: Identity, authority: pki.Authority) -> str | None:
    due: str | None = identity.reason_to_issue(authority.certificate, 30, NOW)
    return due


def test_a_good_certificate_stays(identity: Identity, authority: pki.Authority) -> None:
    assert reason(identity, authority) is None


def test_the_request_asks_for_both_names_and_both_sides(identity: Identity) -> None:
    certificate = x509.load_pem_x509_certificate((identity.directory / "certificate.pem").read_bytes())
    assert names(certificate) == [f"spiffe://{DOMAIN}/tail", f"tail.{DOMAIN}"]
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert len(list(usages)) == 2


def test_few_days_left_renew_it_with_the_same_key(identity: Identity, authority: pki.Authority) -> None:
    sign(identity, authority, days=29)
    before = identity.key().private_numbers()
    assert reason(identity, authority) == "29 days are left"
    identity.request(identity.key_or_new(os.getuid()))
    assert identity.key().private_numbers() == before
    assert days_left(identity.directory / "certificate.pem", NOW) == 29


def test_another_authority_makes_it_due(identity: Identity) -> None:
    assert reason(identity, pki.issue_authority(DOMAIN)) == "another authority issued it"


def test_another_trust_domain_makes_it_due(identity: Identity, authority: pki.Authority) -> None:
    renamed = Identity("tail", "other.internal", identity.directory)
    assert "its names are" in str(reason(renamed, authority))


@pytest.mark.parametrize("file", ["certificate.pem", "key.pem"])
def test_a_lost_or_spoiled_file_makes_it_due(identity: Identity, authority: pki.Authority, file: str) -> None:
    (identity.directory / file).unlink()
    assert reason(identity, authority) == f"{file} does not exist"
    (identity.directory / file).write_text("not PEM")
    assert reason(identity, authority) == "it cannot be read"
    sign(identity, authority)
    assert reason(identity, authority) is None


def test_only_the_service_reads_its_key(identity: Identity) -> None:
    assert (identity.directory / "key.pem").stat().st_mode & 0o777 == 0o400
    assert identity.directory.stat().st_mode & 0o777 == 0o500


def test_two_authorities_are_trusted_during_a_change(identity: Identity, authority: pki.Authority) -> None:
    both = (authority.pem + pki.issue_authority(DOMAIN).pem).decode()
    assert prepare(identity, both, os.getuid()) is True
    assert prepare(identity, both, os.getuid()) is False
    assert (identity.directory / "authority.pem").read_text() == both
