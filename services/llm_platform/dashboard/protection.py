"""What keeps other sites away from a dashboard: headers for the browser, and what proves that a page of ours asks."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from llm_platform.core.errors import Code, PlatformError
from llm_platform.dashboard.sessions import CSRF_HEADER

_SAFE = ("GET", "HEAD", "OPTIONS")
_OURS = ("same-origin", "none")
"""Values of Sec-Fetch-Site of a page of ours, and of an address that was typed."""


def policy(nonce: str = "") -> str:
    """Content-Security-Policy. Scripts come from files of ours alone; the ``nonce`` is for the style sheets that the
    component library writes into the page, which also sets style attributes."""
    styles = f"'self' 'nonce-{nonce}'" if nonce else "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src {styles}",
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def new_nonce() -> str:
    return secrets.token_urlsafe(16)


def add_headers(response: web.StreamResponse, *, secure: bool) -> None:
    """Those of every response; a page has set its own policy before."""
    headers = response.headers
    headers.setdefault("content-security-policy", policy())
    headers["server"] = "llm-platform"
    headers["x-content-type-options"] = "nosniff"
    headers["x-frame-options"] = "DENY"
    headers["referrer-policy"] = "no-referrer"
    headers["cross-origin-opener-policy"] = "same-origin"
    headers["cross-origin-resource-policy"] = "same-origin"
    headers["permissions-policy"] = "camera=(), microphone=(), geolocation=(), payment=(), usb=()"
    if secure:
        headers["strict-transport-security"] = "max-age=31536000"


def check_page(request: web.Request, public_host: str) -> None:
    """Whether a page of ours asks, by what the browser says of it. Raises PERMISSION_DENIED."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get(hdrs.ORIGIN)
    if site is not None:
        ours = site in _OURS
    else:
        ours = origin is None or urlsplit(origin).netloc in (request.host, public_host)
    if not ours:
        raise PlatformError(Code.PERMISSION_DENIED, "Another site asked for this.")


def check_change(request: web.Request, csrf: str, public_host: str) -> None:
    """Lets a change pass that a page of ours asks for; ``csrf`` is the session's token. Raises PERMISSION_DENIED."""
    if request.method in _SAFE:
        return
    check_page(request, public_host)
    if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), csrf.encode()):
        raise PlatformError(
            Code.PERMISSION_DENIED, f"The header {CSRF_HEADER} is not the one of this session.", param=CSRF_HEADER
        )
