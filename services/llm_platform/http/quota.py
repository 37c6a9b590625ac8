"""What an entry knows of one key's requests: how many it makes, and the block that it may spend without asking."""

from __future__ import annotations

from collections.abc import Sequence

from llm_platform.proto import common_pb2, limiter_pb2


class Quota:
    """One key at this entry; one key and one model, where the model has limits. Times are in seconds of
    ``time.monotonic``.

    A block is never larger than what the key used within a second: the count of this second so far, or of the one
    before. So blocks double from one on while they are used up, and a key that is seldom used never has one.
    """

    __slots__ = (
        "_before",
        "_full_at",
        "_granted",
        "_until",
        "_used",
        "asking",
        "lease_id",
        "left",
        "limit",
        "limits",
        "name",
        "principal",
        "remaining",
        "scopes",
    )

    def __init__(
        self,
        name: str,
        principal: common_pb2.Principal,
        limits: common_pb2.Limits,
        scopes: Sequence[limiter_pb2.Scope],
    ) -> None:
        self.name = name
        self.principal = principal
        self.limits = limits
        self.scopes = scopes
        self.limit = 0
        """As rate-limiter said last: of the scope with the least left."""
        self.asking = False
        """Whether a block was asked for and has not come yet."""
        self.lease_id = ""
        """Of the block."""
        self.left = 0
        """Of the block; more than 0 also when it has expired, until that is given back."""
        self.remaining = 0
        """Of the limit, as rate-limiter said last, without what is left of the block."""
        self._granted = 0
        self._until = 0.0
        self._full_at = 0.0
        self._used = 0
        self._before = 0

    @property
    def spent(self) -> int:
        """How many requests of the block were made."""
        return self._granted - self.left

    def spend(self, now: float) -> bool:
        """Takes one request of the block; False where there is none to take."""
        if not self.left or now >= self._until:
            return False
        self.left -= 1
        self._used += 1
        return True

    def ask(self) -> int:
        """Counts a request that rate-limiter is asked for; returns how many are to be asked for with it, itself too."""
        wanted = 1 if self.asking else max(self._used, self._before, 1)
        self._used += 1
        return wanted

    def take(self, lease_id: str, granted: int, until: float) -> None:
        """The block came, the request that asked is the first of it. What was left of another is lost."""
        self.lease_id, self._granted, self.left, self._until = lease_id, granted, granted - 1, until

    def note(self, state: limiter_pb2.LimitState, now: float) -> None:
        """What rate-limiter said of the limit."""
        self.limit, self.remaining = state.limit, state.remaining
        self._full_at = now + state.reset_ms / 1000

    def reset_ms(self, now: float) -> int:
        """When the limit is full again."""
        return max(round((self._full_at - now) * 1000), 0)

    def expired(self, now: float) -> bool:
        """Whether something is left of a block that may not be spent any more."""
        return self.left > 0 and now >= self._until

    def next_second(self) -> bool:
        """Begins to count anew; False when the key was not used in the second that ends."""
        self._before, self._used = self._used, 0
        return self._before > 0
