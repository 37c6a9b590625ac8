"""Each page as each role: it shows, asks for nothing that it may not, and everybody can use it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.seen import Seen
from tests.browser.visits import VISITS, Visit


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: f"{visit.dashboard} {visit.path} {visit.who}")
def test_a_page_is_whole_for_whoever_looks(seen_by: Callable[[str, str], Seen], visit: Visit) -> None:
    seen = seen_by(visit.dashboard, visit.who)
    seen.visit(visit.path)
    assert seen.wrong == []
    assert seen.accessibility() == []
    assert seen.too_wide() == []
