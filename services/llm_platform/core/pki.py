"""Issuing the certificates of the services: a private authority, and what it signs.

A service is named twice in its certificate: ``spiffe://TRUST_DOMAIN/SERVICE`` as a URI, which servers
check against the catalogue, and ``SERVICE.TRUST_DOMAIN`` as a DNS name, which clients check, since a
gRPC client does not look at URIs. Source: SPIFFE X.509-SVID, https://spiffe.io/docs/latest/spiffe-specs/x509-svid/
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from llm_platform.core.certificate import dns_name, spiffe_id
from llm_platform.core.config import Tls

CERTIFICATE_FILE = "certificate.pem"
KEY_FILE = "key.pem"
AUTHORITY_FILE = "authority.pem"

_CLOCK_SKEW = dt.timedelta(minutes=5)
"""Hosts whose clock is behind by less accept a certificate at once."""


@dataclass(frozen=True)
class Authority:
    """A root that signs the services' certificates of one trust domain."""

    trust_domain: str
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Bundle:
    """What one service holds: its certificate, its key, and the roots it trusts; all PEM."""

    trust_domain: str
    certificate: bytes
    key: bytes
    authority: bytes

    def trusting(self, *authorities: Authority) -> Bundle:
        """The same identity, trusting ``authorities``: two during a change of the authority."""
        return Bundle(self.trust_domain, self.certificate, self.key, b"".join(each.pem for each in authorities))


def issue_authority(trust_domain: str, days: float = 3650) -> Authority:
    """A new self-signed root."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{trust_domain} authority {secrets.token_hex(4)}")])
    usage = _key_usage(signs_certificates=True)
    certificate = (
        _builder(name, name, key.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(trust_domain, certificate, key)


def issue_certificate(
    authority: Authority,
    service: str,
    trust_domain: str | None = None,
    days: float = 90,
    addresses: Iterable[str] = (),
) -> Bundle:
    """A certificate for ``service``, for both sides of mTLS.

    ``trust_domain`` is the authority's unless given. ``addresses`` are further names and IP addresses
    by which a client may know it. Negative ``days`` give one that has expired.
    """
    domain = trust_domain or authority.trust_domain
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(spiffe_id(domain, service)),
        x509.DNSName(dns_name(domain, service)),
        *(_general_name(address) for address in addresses),
    ]
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)]),
            authority.certificate.subject,
            key.public_key(),
            days,
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return Bundle(
        domain,
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        authority.pem,
    )


def write_bundle(directory: Path, bundle: Bundle) -> Tls:
    """Writes the three files, readable by their owner only, each replaced in one step."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {CERTIFICATE_FILE: bundle.certificate, KEY_FILE: bundle.key, AUTHORITY_FILE: bundle.authority}
    for name, content in files.items():
        _replace(directory / name, content)
    return Tls(
        certificate=directory / CERTIFICATE_FILE,
        key=directory / KEY_FILE,
        authority=directory / AUTHORITY_FILE,
        trust_domain=bundle.trust_domain,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    end = now + dt.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, end) - _CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
