"""Every page, and who looks at it."""

from __future__ import annotations

from typing import NamedTuple


class Visit(NamedTuple):
    """A page as somebody sees it. ``heading`` is its first heading."""

    dashboard: str
    path: str
    who: str


USER_PATHS = ("/", "/keys", "/usage", "/budgets", "/models", "/playground", "/quick-start", "/account")
ADMIN_PATHS = (
    "/",
    "/providers",
    "/routing",
    "/secrets",
    "/organizations",
    "/teams",
    "/users",
    "/keys",
    "/budgets",
    "/usage",
    "/requests",
    "/audit",
    "/account",
)
VIEWERS = ("admin", "acme-billing-viewer", "acme-developer", "acme-read-only")
"""``admin`` administers the platform, the others belong to the organisation acme."""
VISITS = [
    *(Visit("admin", path, who) for who in VIEWERS for path in ADMIN_PATHS),
    *(Visit("user", path, who) for who in VIEWERS for path in USER_PATHS),
]
