"""Certificates of the services."""

from __future__ import annotations

import datetime as dt
import ipaddress
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from llm_platform.core import pki


@pytest.fixture(scope="module")
def authority() -> pki.Authority:
    return pki.issue_authority("prod.example")


def names(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_a_certificate_names_its_service_by_uri_and_by_dns(authority: pki.Authority) -> None:
    bundle = pki.issue_certificate(authority, "head", addresses=["localhost", "127.0.0.1", "::1"])
    found = names(x509.load_pem_x509_certificate(bundle.certificate))
    assert found.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://prod.example/head"]
    assert found.get_values_for_type(x509.DNSName) == ["head.prod.example", "localhost"]
    assert found.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]


def test_a_certificate_serves_both_sides_and_signs_nothing(authority: pki.Authority) -> None:
    certificate = x509.load_pem_x509_certificate(pki.issue_certificate(authority, "head").certificate)
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)


def test_the_authority_vouches_for_its_certificates_and_no_other_does(authority: pki.Authority) -> None:
    leaf = x509.load_pem_x509_certificate(pki.issue_certificate(authority, "head").certificate)

    def verify(root: pki.Authority) -> None:
        policy = PolicyBuilder().store(Store([root.certificate]))
        policy.build_server_verifier(x509.DNSName("head.prod.example")).verify(leaf, [])

    verify(authority)
    with pytest.raises(VerificationError):
        verify(pki.issue_authority("prod.example"))


@pytest.mark.case(32)
def test_a_host_whose_clock_is_behind_accepts_a_new_certificate(authority: pki.Authority) -> None:
    certificate = x509.load_pem_x509_certificate(pki.issue_certificate(authority, "head").certificate)
    assert certificate.not_valid_before_utc < dt.datetime.now(dt.UTC) - dt.timedelta(minutes=4)


def test_written_files_are_readable_by_their_owner_only(authority: pki.Authority, tmp_path: Path) -> None:
    tls = pki.write_bundle(tmp_path / "head", pki.issue_certificate(authority, "head"))
    assert tls.trust_domain == "prod.example"
    for path in (tls.certificate, tls.key, tls.authority):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list((tmp_path / "head").iterdir())) == 3


def test_writing_again_replaces_the_files(authority: pki.Authority, tmp_path: Path) -> None:
    first = pki.write_bundle(tmp_path, pki.issue_certificate(authority, "head")).certificate.read_bytes()
    again = pki.write_bundle(tmp_path, pki.issue_certificate(authority, "head")).certificate.read_bytes()
    assert first != again


def test_a_bundle_can_trust_two_authorities(authority: pki.Authority) -> None:
    second = pki.issue_authority("prod.example")
    bundle = pki.issue_certificate(authority, "head").trusting(authority, second)
    assert len(x509.load_pem_x509_certificates(bundle.authority)) == 2
