"""Values of the configuration that have a syntax of their own: what is odd is refused with its line."""

from __future__ import annotations

import base64
import re
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr
from pydantic_core import PydanticCustomError

# A token of RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
# As browsers send it: https://www.rfc-editor.org/rfc/rfc6454#section-6.2
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?\Z")

_SECRET_PATTERN = re.compile(r"(?:\*\*|[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*(?:/\*\*)?)\Z")
SHORTEST_SECRET = 16
STANDARD_WEBHOOK = "whsec_"
"""What a webhook's secret begins with that is Base64: https://www.standardwebhooks.com"""
_DATABASE = re.compile(r"(?:/[0-9]*)?\Z")


def _header(name: str) -> str:
    if not _TOKEN.match(name):
        raise _odd("must be the name of an HTTP header: letters, digits and !#$%&'*+-.^_`|~")
    return name


def _origin(origin: str) -> str:
    if origin != "*" and not (_ORIGIN.match(origin) and _split(origin)):
        raise _odd("must be * or an origin like https://app.example or http://localhost:3000, without a path")
    return origin


def _address_range(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise _odd("must be an address or a range like 192.0.2.0/24, with no bits after the mask") from None


def _model(name: str) -> str:
    if not name or name != "".join(name.split()) or not name.isprintable():
        raise _odd("must be the name of a model, without blanks")
    return name


def _base_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise _odd("must begin with https:// (or http:// inside your network)")
    return _plain_url(url)


def _issuer(url: str) -> str:
    parts = _split(url)
    local = parts is not None and parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if parts is None or not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise _odd("must begin with https://")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise _odd("must be an address without a query, fragment or password")
    return url  # to the letter: tokens name it so


def _collector(url: str) -> str:
    if url.startswith("file:"):
        if not re.match(r"file:///[^/]", url):
            raise _odd("must name its file as file:///PATH")
        return url
    if url and not url.startswith(("http://", "https://")):
        raise _odd("must begin with http://, https:// or file:///")
    return _plain_url(url) if url else url


def _webhook(url: str) -> str:
    parts = _split(_plain_url(url))
    if parts is None or (parts.scheme != "https" and not (parts.scheme == "http" and _is_this_host(parts.hostname))):
        raise _odd("must begin with https:// (or http:// on this host: localhost, 127.0.0.1 or [::1])")
    return url


def _is_this_host(name: str | None) -> bool:
    try:
        return name == "localhost" or ip_address(name or "").is_loopback
    except ValueError:
        return False


def _webhook_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if len(text) < SHORTEST_SECRET:
        raise _odd(f"must have at least {SHORTEST_SECRET} characters: anyone could sign with less")
    if text.startswith(STANDARD_WEBHOOK):
        try:
            encoded = base64.b64decode(text.removeprefix(STANDARD_WEBHOOK), validate=True)
        except ValueError:
            encoded = b""
        if len(encoded) < SHORTEST_SECRET:
            raise _odd(
                f"must be {STANDARD_WEBHOOK} and the Base64 of at least {SHORTEST_SECRET} bytes, or any other text"
            )
    return secret


def _redis(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    if not url.startswith(("redis://", "rediss://")):
        raise _odd("must begin with redis:// or rediss://")
    parts = _split(url)
    if parts is None or not parts.hostname or parts.query or parts.fragment or not _DATABASE.match(parts.path):
        raise _odd("must be redis[s]://[USER:PASSWORD@]HOST[:PORT][/NUMBER], percent-encoded, without a query")
    return secret


def _secret_pattern(pattern: str) -> str:
    if not _SECRET_PATTERN.match(pattern):
        raise _odd("must be a secret's path, PREFIX/** for all below a prefix, or ** for all")
    return pattern


def _plain_url(url: str) -> str:
    parts = _split(url)
    if parts is None or not parts.hostname:
        raise _odd("must be a URL with a host, and a port between 1 and 65535 if any, in ASCII without blanks")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _odd("must have no user, password, query or fragment")
    return url


def _split(url: str) -> SplitResult | None:
    """None for what is no URL at all."""
    try:
        parts = urlsplit(url)
        return parts if url.isascii() and url.isprintable() and " " not in url and parts.port != 0 else None
    except ValueError:
        return None


def _odd(message: str) -> PydanticCustomError:
    return PydanticCustomError("odd_value", "{message}", {"message": message})


AddressRange = Annotated[str, AfterValidator(_address_range)]
HeaderName = Annotated[str, AfterValidator(_header)]
Origin = Annotated[str, AfterValidator(_origin)]
"""Of a web page: scheme://host[:port]; or * for all."""
ModelName = Annotated[str, AfterValidator(_model)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""Of a provider's HTTP API."""
IssuerUrl = Annotated[str, AfterValidator(_issuer)]
"""Of an identity provider, as it names itself."""
CollectorUrl = Annotated[str, AfterValidator(_collector)]
"""Where traces go: OTLP over HTTP, or a file. Empty: the default."""
WebhookUrl = Annotated[str, AfterValidator(_webhook)]
"""Where notifications are sent."""
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]
"""Of a Redis: secret, since it may hold a password."""
SecretPattern = Annotated[str, AfterValidator(_secret_pattern)]
"""Which secrets: a path, PREFIX/** or **."""
