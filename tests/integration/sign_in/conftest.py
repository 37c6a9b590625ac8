"""OpenBao as an OpenID Connect provider of two addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.identity_provider import IdentityProvider
from tests.servers.openbao import OpenBao

REDIRECT = "https://admin.example/callback"
OTHER = "https://other.example/callback"


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[IdentityProvider]:
    with OpenBao() as server:
        yield IdentityProvider(server, REDIRECT, OTHER)
