"""What is given back of estimates, against the whole history with the true use in the place of each estimate."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_platform.rate_limiter.gcra import PERIOD_NS, cost_ns
from llm_platform.rate_limiter.refunds import MOST
from llm_platform.rate_limiter.store import Subject

LIMIT = 60_000
SECOND = 1_000_000_000
UNIT = cost_ns(1, LIMIT)


class History:
    """A subject, and everything that was ever taken of it: when, and how much as is known now."""

    def __init__(self) -> None:
        self.subject = Subject()
        self.now = 1_000 * SECOND
        self.taken: list[tuple[int, int]] = []
        self.open: list[tuple[str, int, int]] = []  # lease, its place in the history, its estimate

    def begin(self, tokens: int) -> None:
        lease = f"{len(self.taken)}"
        self.open.append((lease, len(self.taken), tokens))
        self.taken.append((self.now, tokens * UNIT))
        self.subject.hold(lease, self.now + 3_600 * SECOND, tokens * UNIT, LIMIT, self.told, self.now)

    def end(self, which: int, used: int) -> None:
        lease, place, estimate = self.open.pop(which % len(self.open))
        self.subject.end(lease, used, self.now)
        at, _ = self.taken[place]
        self.taken[place] = (at, min(used, estimate) * UNIT)
        if used > estimate:  # a debt is taken when it is known
            self.taken.append((self.now, (used - estimate) * UNIT))

    @property
    def full_at(self) -> int:
        """The TAT as if every true use had been known from the start."""
        tat = 0
        for at, cost in self.taken:
            tat = max(tat, at) + cost
        return max(tat, self.now)

    @property
    def told(self) -> int:
        return max(self.subject.tokens_tat, self.now)


begins = st.tuples(st.just("begin"), st.sampled_from([0, 1, 3_000, 9_999, 20_000]), st.just(0))
ends = st.tuples(st.just("end"), st.integers(0, 50), st.sampled_from([0, 1, 2_000, 25_000]))
pauses = st.tuples(st.just("pause"), st.sampled_from([1, SECOND, 7 * SECOND, 20 * SECOND]), st.just(0))


def play(history: History, steps: list[tuple[str, int, int]]) -> None:
    for kind, first, second in steps:
        if kind == "pause":
            history.now += first
        elif kind == "begin":
            history.begin(first)
        elif history.open:
            history.end(first, second)


@settings(deadline=None)
@given(st.lists(st.one_of(begins, ends, pauses), max_size=MOST))
def test_a_corrected_limit_is_as_if_the_true_use_had_been_known_from_the_start(
    steps: list[tuple[str, int, int]],
) -> None:
    history = History()
    for step in steps:
        play(history, [step])
        assert history.told == history.full_at


@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(
    st.lists(st.one_of(begins, begins, pauses), min_size=2 * MOST, max_size=3 * MOST),
    st.lists(st.one_of(begins, ends, ends, pauses), max_size=60),
)
def test_with_more_calls_under_way_less_is_given_back_but_never_more(
    before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    history = History()
    play(history, before)
    for step in after:
        play(history, [step])
        assert history.told >= history.full_at


def test_of_a_thousand_calls_at_once_nearly_all_is_given_back() -> None:
    """Each holds 600 units, one after the other in ten minutes at the rate of the limit, and uses 100 of them."""
    history = History()
    for _ in range(1_000):
        history.begin(600)
        history.now += 600 * UNIT
    for _ in range(1_000):
        history.end(0, 100)
    assert history.told - history.full_at <= PERIOD_NS // 16
