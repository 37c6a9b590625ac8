"""The process's own certificate files."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from llm_platform.core import pki
from llm_platform.core.certificate import expiry
from llm_platform.core.config import Tls

DAY = 86400


@pytest.fixture(scope="module")
def authority() -> pki.Authority:
    return pki.issue_authority("prod.example")


def bundle(directory: Path, authority: pki.Authority, days: float = 90) -> Tls:
    return pki.write_bundle(directory, pki.issue_certificate(authority, "head", days=days))


@pytest.mark.parametrize("days", [30, -2])
def test_the_expiry_is_told_before_and_after(tmp_path: Path, authority: pki.Authority, days: int) -> None:
    assert expiry(bundle(tmp_path, authority, days)) == pytest.approx(time.time() + days * DAY, abs=60)


def test_during_a_change_the_own_authority_need_not_be_among_the_trusted(
    tmp_path: Path, authority: pki.Authority
) -> None:
    other = pki.issue_authority("prod.example")
    tls = pki.write_bundle(tmp_path, pki.issue_certificate(authority, "head").trusting(other))
    assert expiry(tls) > time.time()


def test_a_key_of_another_certificate_is_found_out(tmp_path: Path, authority: pki.Authority) -> None:
    tls, other = bundle(tmp_path / "one", authority), bundle(tmp_path / "other", authority)
    with pytest.raises(ValueError, match="the key does not belong to the certificate"):
        expiry(tls.model_copy(update={"key": other.key}))


@pytest.mark.parametrize("file", ["certificate", "key", "authority"])
@pytest.mark.parametrize("content", ["", "garbage", "-----BEGIN CERTIFICATE-----\n", "é"])
def test_a_spoiled_file_is_found_out(tmp_path: Path, authority: pki.Authority, file: str, content: str) -> None:
    tls = bundle(tmp_path, authority)
    Path(getattr(tls, file)).write_text(content)
    with pytest.raises(ValueError):
        expiry(tls)


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(tmp_path: Path, authority: pki.Authority) -> None:
    tls = bundle(tmp_path, authority)
    key = serialization.load_pem_private_key(tls.key.read_bytes(), None)
    tls.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    with pytest.raises(ValueError):
        expiry(tls)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path, authority: pki.Authority) -> None:
    tls = bundle(tmp_path, authority)
    tls.key.unlink()
    with pytest.raises(FileNotFoundError):
        expiry(tls)
