from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.degradation.platform import Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Each test leaves it healed."""
    with Platform(tmp_path_factory.mktemp("fleet")) as running:
        yield running
