"""Stores that are spoken to without encryption over a network: said in the log and in readiness.

It is not refused: a network may be encrypted itself. Between services there is always TLS (rpc/credentials.py).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import parse_qs, urlsplit

from llm_platform.core.health import Health
from llm_platform.core.logging import get_logger

_ENCRYPTED_SCHEMES = ("https", "rediss")
_ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")
_REMEDIES = {
    "http": "use https://",
    "redis": "use rediss://",
    "postgresql+asyncpg": "add sslmode=verify-full and sslrootcert to its URL",
}

log = get_logger("plain_text")


def warn_of_plain_text(health: Health, what: str, url: str | None) -> None:
    """Warns once, and degrades ``health``, when what goes to the store at ``url`` may be read on its way."""
    if (remedy := _remedy(url or "")) is None:
        return
    reason = f"data and passwords may go over the network unencrypted; {remedy}"
    log.warning(f"{what}: {reason}")
    health.add(f"encryption of {what}", lambda: reason, required=False)


def _remedy(url: str) -> str | None:
    """None: encrypted, on this machine, or no server at all."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None  # whoever uses it says what is wrong with it
    if not host or _is_here(host) or parts.scheme in _ENCRYPTED_SCHEMES:
        return None
    options = parse_qs(parts.query)
    mode = (options.get("sslmode") or options.get("ssl") or [""])[-1]
    return None if mode in _ENCRYPTED_MODES else _REMEDIES.get(parts.scheme)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
