"""What the HTTP client refuses to do: leak a credential, follow a redirect, trust a stranger."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest

from llm_platform.http.client.client import ConnectError, HttpClient, Target, read_body
from tests.unit.http.client.raw_server import answering, serving


async def fetch(client: HttpClient, url: str, body: bytes = b"{}") -> bytes:
    response = await client.request(Target("POST", url), [], body, first_byte=2, silence=2)
    return await read_body(response, 1000)


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b"])
async def test_a_header_that_would_break_the_framing_is_refused(value: str) -> None:
    async with serving() as server:
        with pytest.raises(ValueError, match="line break"):
            await HttpClient().request(Target("POST", server.url), [("x-id", value)], b"", first_byte=1, silence=1)
        assert not server.connections


@pytest.mark.case(21)
@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "x",
        "http://",
        "http://user:pass@x/",
        "http://x/?key=1",
        "http://x/#a",
        "http://x/a b",
        "http://x/\r\n",
    ],
)
def test_a_target_is_a_plain_url_without_credentials(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Target("POST", url)


async def test_redirects_are_not_followed() -> None:
    async with serving() as server:
        server.script = answering(
            b"HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
        )
        client = HttpClient()
        response = await client.request(Target("POST", server.url), [], b"", first_byte=1, silence=1)
        assert response.status == 307
        await client.aclose()


async def test_tls_is_verified(tmp_path: Path) -> None:
    certificate, key = _self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    async with serving(ssl=context) as server:
        stranger = HttpClient()
        with pytest.raises(ConnectError, match="TLS"):
            await fetch(stranger, server.url)
        trusting = HttpClient(tls=ssl.create_default_context(cafile=str(certificate)))
        assert await fetch(trusting, server.url, b"x" * 300_000) == b"hello"
        assert await fetch(trusting, server.url) == b"hello"
        assert server.requests[1].endswith(b"{}")
        await trusting.aclose()
        await stranger.aclose()


def _self_signed(directory: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "certificate.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
