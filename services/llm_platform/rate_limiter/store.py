"""What the limiter remembers: per subject, two arrival times, the open leases and blocks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from llm_platform.rate_limiter.gcra import cost_ns, indebted
from llm_platform.rate_limiter.refunds import Refunds

NS_PER_S = 1_000_000_000

_NEVER = 1 << 63


class Lease(NamedTuple):
    """One open request: ends with Finish, or by itself at ``expires_ns``."""

    expires_ns: int
    tokens_ns: int
    """What was reserved of the token limit, as time (gcra.cost_ns)."""
    token_limit: int
    """The token limit it was reserved under; 0: none."""
    turn: int
    """Its place among those that took tokens (refunds.py)."""


class Block(NamedTuple):
    """Requests taken ahead: what was not spent may be given back with Finish until ``expires_ns``."""

    expires_ns: int
    requests: int
    request_limit: int
    """The limit it was granted under."""

    def cost_ns(self, requests: int) -> int:
        return cost_ns(requests, self.request_limit)


class Subject:
    """The state of one key, user, model and so on. Times are nanoseconds of the limiter's clock; 0 is long ago."""

    __slots__ = ("_blocks", "_blocks_ns", "_earliest_expiry_ns", "_refunds", "leases", "requests_tat", "tokens_tat")

    def __init__(self) -> None:
        self.requests_tat = 0
        self.tokens_tat = 0
        self.leases: dict[str, Lease] = {}
        self._blocks: dict[str, Block] = {}
        self._blocks_ns = 0  # what they took together
        self._refunds = Refunds()
        self._earliest_expiry_ns = _NEVER  # a lower bound: what ends earlier does not raise it

    def hold(
        self, lease_id: str, expires_ns: int, tokens_ns: int = 0, token_limit: int = 0, tat: int = 0, now: int = 0
    ) -> None:
        """A call begins; under a token limit it takes ``tokens_ns`` of it, which is full again at ``tat``, now at
        the earliest."""
        leases, turn = self.leases, 0
        if token_limit:
            turn = self._refunds.take(tat - now) if leases else self._refunds.begin()
            self.tokens_tat = tat + tokens_ns
        elif not leases:
            self._refunds.forget()
        leases[lease_id] = Lease(expires_ns, tokens_ns, token_limit, turn)
        if expires_ns < self._earliest_expiry_ns:  # noqa: PLR1730 - a call of min costs more
            self._earliest_expiry_ns = expires_ns

    def end(self, lease_id: str, tokens: int | None, now: int) -> None:
        """A call ended, which really used that many tokens; None: nobody knows, the estimate stands."""
        lease = self.leases.pop(lease_id, None)
        if lease is None:
            return
        if lease.token_limit and tokens is not None:
            more_ns = cost_ns(tokens, lease.token_limit) - lease.tokens_ns
            if more_ns <= 0:
                self.tokens_tat -= self._refunds.give_back(lease.turn, -more_ns)
            else:
                self._refunds.find(max(self.tokens_tat - now, 0))
                self.tokens_tat = indebted(self.tokens_tat, now, more_ns)

    def forget_expired(self, now: int) -> None:
        """Drops the leases of lost holders, and the blocks that nothing is given back of any more."""
        if now < self._earliest_expiry_ns:
            return
        self.leases = {key: lease for key, lease in self.leases.items() if lease.expires_ns > now}
        self._blocks = {key: block for key, block in self._blocks.items() if block.expires_ns > now}
        self._blocks_ns = sum(block.cost_ns(block.requests) for block in self._blocks.values())
        held: tuple[Lease | Block, ...] = (*self.leases.values(), *self._blocks.values())
        self._earliest_expiry_ns = min((one.expires_ns for one in held), default=_NEVER)

    def after_requests(self, count: int, limit: int, at: int) -> int:
        """The requests' new TAT when ``count`` come at that time; ``requests_tat`` is left as it is.

        Where the blocks are refilled by then, in part at least, they are forgotten: to give back what is refilled
        would count it twice.
        """
        if self._blocks and self.requests_tat - at < self._blocks_ns:
            self._blocks.clear()
            self._blocks_ns = 0
        return max(self.requests_tat, at) + cost_ns(count, limit)

    def hold_block(self, lease_id: str, block: Block) -> None:
        self._blocks[lease_id] = block
        self._blocks_ns += block.cost_ns(block.requests)
        self._earliest_expiry_ns = min(self._earliest_expiry_ns, block.expires_ns)

    def block(self, lease_id: str) -> Block | None:
        return self._blocks.get(lease_id)

    def end_block(self, lease_id: str, spent: int) -> None:
        """Gives back what was not spent of a block."""
        block = self._blocks.pop(lease_id, None)
        if block is not None:
            taken_ns = block.cost_ns(block.requests)
            self._blocks_ns -= taken_ns
            self.requests_tat -= taken_ns - block.cost_ns(min(spent, block.requests))

    def is_idle(self, now: int) -> bool:
        """Whether forgetting it changes no later answer."""
        self.forget_expired(now)
        return self.requests_tat <= now and self.tokens_tat <= now and not self.leases and not self._blocks


class Subjects:
    """The subjects in use, in the order in which they are looked at for eviction.

    No timer, and no bound that could be reached: every new subject has the two looked at that were not
    for longest, and those that are idle are dropped. So the table only grows while the subjects in it are
    busy, and whatever falls idle makes room twice as fast as new ones come.
    """

    def __init__(self) -> None:
        self._subjects: OrderedDict[str, Subject] = OrderedDict()
        self.find = self._subjects.get

    def __len__(self) -> int:
        return len(self._subjects)

    def take(self, name: str, now: int) -> Subject:
        """The subject of that name, new if need be."""
        subject = self.find(name)
        if subject is None:
            self._evict_idle(now)
            subject = self._subjects[name] = Subject()
        return subject

    def take_all(self, names: Sequence[str], now: int) -> list[Subject]:
        """The subjects of those names, new if need be. None of them makes room for another."""
        for name in names:
            if name not in self._subjects:
                self._evict_idle(now)
        for name in names:
            if name not in self._subjects:
                self._subjects[name] = Subject()
        return [self._subjects[name] for name in names]

    def _evict_idle(self, now: int) -> None:
        for _ in range(min(2, len(self._subjects))):
            name, subject = self._subjects.popitem(last=False)
            if not subject.is_idle(now):
                self._subjects[name] = subject
