"""Certificates of a host's identities: which are missing or to be renewed, and the requests for them.

Each identity has a directory of its own, which its containers mount: ``certificate.pem``, ``key.pem`` and
``authority.pem``. Keys are made on the host and never leave it; the authority on the controller signs requests.
A renewal keeps its key, so that certificate and key fit each other at every moment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DIRECTORY_MODE, KEY_MODE, PUBLIC_MODE = 0o500, 0o400, 0o444
KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Identity:
    """A name of the catalogue and where its files lie."""

    name: str
    trust_domain: str
    directory: Path

    @property
    def uri(self) -> str:
        return f"spiffe://{self.trust_domain}/{self.name}"

    @property
    def dns(self) -> str:
        return f"{self.name}.{self.trust_domain}"

    def alternative_names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.uri), x509.DNSName(self.dns)]

    def reason_to_issue(self, authority: x509.Certificate, renew_days: int, now: datetime) -> str | None:
        """Why a new certificate is due; None while the present one is good for ``renew_days`` more days."""
        try:
            certificate = x509.load_pem_x509_certificate((self.directory / "certificate.pem").read_bytes())
            key = self.key()
        except FileNotFoundError as missing:
            return f"{Path(missing.filename).name} does not exist"
        except ValueError:
            return "it cannot be read"
        if public_bytes(certificate.public_key()) != public_bytes(key.public_key()):
            return "its key is another one"
        if not issued_by(certificate, authority):
            return "another authority issued it"
        if sorted(names(certificate)) != sorted([self.uri, self.dns]):
            return f"its names are {', '.join(names(certificate))}"
        left = (certificate.not_valid_after_utc - now).days
        return f"{left} days are left" if left < renew_days else None

    def key(self) -> ec.EllipticCurvePrivateKey:
        """Raises FileNotFoundError, or ValueError when it is not a key of ours."""
        key = serialization.load_pem_private_key((self.directory / "key.pem").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("not an elliptic curve key")
        return key

    def key_or_new(self, uid: int) -> ec.EllipticCurvePrivateKey:
        try:
            return self.key()
        except (FileNotFoundError, ValueError):
            key = ec.generate_private_key(ec.SECP256R1())
            write(self.directory / "key.pem", private_bytes(key), KEY_MODE, uid)
            return key

    def request(self, key: ec.EllipticCurvePrivateKey) -> str:
        """The signing request, PEM."""
        builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        signed = (
            builder.add_extension(x509.SubjectAlternativeName(self.alternative_names()), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(KEY_USAGE, critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(key, hashes.SHA256())
        )
        return signed.public_bytes(serialization.Encoding.PEM).decode()


def prepare(identity: Identity, authorities: str, uid: int) -> bool:
    """Makes the directory and puts the authorities into it; whether that changed anything."""
    identity.directory.mkdir(parents=True, exist_ok=True)
    own(identity.directory, DIRECTORY_MODE, uid)
    bundle = identity.directory / "authority.pem"
    if bundle.exists() and bundle.read_text() == authorities:
        return False
    write(bundle, authorities.encode(), PUBLIC_MODE, uid)
    return True


def names(certificate: x509.Certificate) -> list[str]:
    """Its URI and DNS names."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*found.get_values_for_type(x509.UniformResourceIdentifier), *found.get_values_for_type(x509.DNSName)]


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def days_left(certificate: Path, now: datetime | None = None) -> int:
    """Whole days until it expires; negative once it has."""
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    return (loaded.not_valid_after_utc - (now or datetime.now(tz=UTC))).days


def public_bytes(key: object) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form)  # type: ignore[attr-defined, no-any-return]


def private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def write(file: Path, content: bytes, mode: int, uid: int) -> None:
    """Replaces a file at once: a service that reloads sees the old or the new, never a part."""
    following = file.with_name(f".{file.name}.next")
    following.unlink(missing_ok=True)
    descriptor = os.open(following, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    own(following, mode, uid)
    following.replace(file)


def own(path: Path, mode: int, uid: int) -> None:
    path.chmod(mode)
    os.chown(path, uid, uid)
