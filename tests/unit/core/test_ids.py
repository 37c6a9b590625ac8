"""Ids are unique, sortable and of one form."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

from llm_platform.core.ids import new_id


def test_ids_of_many_threads_are_unique() -> None:
    with ThreadPoolExecutor(8) as threads:
        made = [
            name for names in threads.map(lambda _: [new_id("req") for _ in range(2000)], range(8)) for name in names
        ]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"req_[0-9a-f]{32}", name) for name in made)


def test_ids_sort_by_their_time() -> None:
    first = new_id("req")
    time.sleep(0.002)
    assert first < new_id("req")
