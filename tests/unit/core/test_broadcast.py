from __future__ import annotations

import pytest

from llm_platform.core.broadcast import Broadcast
from llm_platform.core.errors import Code, PlatformError


async def test_every_watcher_gets_what_is_published_after_it_subscribed() -> None:
    broadcast: Broadcast[int] = Broadcast()
    with broadcast.subscribe() as one:
        broadcast.publish(1)
        with broadcast.subscribe() as two:
            broadcast.publish(2)
            assert [await anext(one), await anext(one), await anext(two)] == [1, 2, 2]
        assert len(broadcast) == 1
    assert len(broadcast) == 0


async def test_a_watcher_that_does_not_read_is_ended_and_holds_up_nobody() -> None:
    broadcast: Broadcast[int] = Broadcast(backlog=3)
    with broadcast.subscribe() as slow, broadcast.subscribe() as quick:
        for number in range(10):
            broadcast.publish(number)
            assert await anext(quick) == number
        assert [await anext(slow) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(PlatformError) as ended:
            await anext(slow)
    assert ended.value.code is Code.UNAVAILABLE


async def test_closing_ends_every_watch() -> None:
    broadcast: Broadcast[int] = Broadcast()
    with broadcast.subscribe() as events:
        broadcast.close()
        with pytest.raises(PlatformError):
            await anext(events)
