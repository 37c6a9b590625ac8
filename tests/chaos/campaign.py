"""``kill -9`` of services and stores, one after the other, while the load runs."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.chaos.load import Load
from tests.fleet import Fleet, ProductionStores
from tests.simulator import Call, Simulator

STATEFUL = ("head", "billing", "rate-limiter", "model-proxy", "postgresql", "redis")
"""Killed in turn; each time round in another order."""
ENTRY = "tail"
"""Killed once each time round as well; it holds nothing."""
USERS = {"postgresql": ("auth-service", "billing"), "redis": ("rate-limiter",)}
"""Which services are ready again only after a store is."""
LONGEST_PAUSE_SECONDS = 0.5
UNREAD_SECONDS = 0.5
"""How long the end of a reply may lie in the socket of a process that has no time to read it."""


class Killable(Protocol):
    def kill(self) -> None: ...

    def start(self) -> None: ...


@dataclass
class Kill:
    """One ``kill -9``, and what was under way at that moment."""

    victim: str
    replicas: int
    """How many of its replicas were killed."""
    requests_in_flight: int
    streams_in_flight: int
    began: float
    ended: float = math.inf
    """Around the kill, seconds of ``time.monotonic``: at the end the provider has read what was sent before it."""

    def found_open(self, call: Call) -> bool:
        """Whether the killed process may have had the call open. The provider may read what it sent last after its
        death, and it may never have read what the provider sent last."""
        ended = math.inf if call.ended_at is None else call.ended_at
        return call.opened_at <= self.ended and ended >= self.began - UNREAD_SECONDS


@dataclass
class Campaign:
    """Kills, and starts again what it killed; the next kill waits until everything serves again."""

    fleet: Fleet
    stores: ProductionStores
    simulator: Simulator
    load: Load
    chance: random.Random
    kills: list[Kill] = field(default_factory=list)

    async def run(self, kills: int) -> None:
        """``kills`` of STATEFUL, and those of the entry besides."""
        began = time.monotonic()
        stateful = 0
        for victim in self._victims():
            if stateful == kills:
                break
            stateful += victim != ENTRY
            await asyncio.sleep(self.chance.uniform(0, LONGEST_PAUSE_SECONDS))
            kill = await self._kill(victim, self._targets(victim))
            print(
                f"{time.monotonic() - began:7.1f} s  kill {stateful}/{kills}  {victim:<12} replicas {kill.replicas}  "
                f"in flight {kill.requests_in_flight:3}, {kill.streams_in_flight} of them streams",
                flush=True,
            )

    def summary(self) -> str:
        victims = Counter(kill.victim for kill in self.kills)
        return (
            f"kills: {dict(victims)}, {sum(victims.values()) - victims[ENTRY]} of them of {', '.join(STATEFUL)}\n"
            f"least in flight at a kill: {min(kill.requests_in_flight for kill in self.kills)}\n"
            f"clients: {dict(self.load.outcomes)}"
        )

    def _victims(self) -> Iterator[str]:
        while True:
            yield from self.chance.sample((*STATEFUL, ENTRY), k=len(STATEFUL) + 1)

    def _targets(self, victim: str) -> Sequence[Killable]:
        """A store, one replica of a service, or each third time all of them."""
        if victim == "postgresql":
            return [self.stores.postgresql]
        if victim == "redis":
            return [self.stores.redis]
        replicas = self.fleet.replicas(victim)
        return replicas if self.chance.random() < 1 / 3 else [self.chance.choice(replicas)]

    async def _kill(self, victim: str, targets: Sequence[Killable]) -> Kill:
        await until(lambda: self.load.in_flight > 0 and self._calls_are_open(), f"requests in flight before {victim}")
        kill = Kill(victim, len(targets), self.load.in_flight, self.load.streams_in_flight, time.monotonic())
        self.kills.append(kill)
        await asyncio.gather(*(asyncio.to_thread(target.kill) for target in targets))
        await asyncio.sleep(0.1)
        kill.ended = time.monotonic()
        await asyncio.gather(*(asyncio.to_thread(target.start) for target in targets))
        for service in USERS.get(victim, (victim,)):
            for process in self.fleet.replicas(service):
                await asyncio.to_thread(process.wait_ready)
        return kill

    def _calls_are_open(self) -> bool:
        """At the provider, begun since the last kill: what was killed serves again."""
        since = self.kills[-1].ended if self.kills else -math.inf
        return any(call.state == "opened" and call.opened_at > since for call in self.simulator.record.calls[-200:])


async def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Raises ``TimeoutError`` that says ``what`` did not come."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"not within {seconds} s: {what}") from None
