"""The circuit breaker, on a clock of its own."""

from __future__ import annotations

import pytest

from llm_platform.model_proxy.health import Circuit, ProviderHealth


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> ProviderHealth:
    return ProviderHealth(clock, window=30, least_failures=5, open_seconds=2, longest_open_seconds=10)


def fail(health: ProviderHealth, times: int) -> None:
    for _ in range(times):
        health.failed("status 500")


def test_it_opens_when_at_least_half_of_enough_calls_failed(health: ProviderHealth) -> None:
    for _ in range(5):
        health.succeeded()
    fail(health, 4)
    assert (health.circuit, health.admit()) == (Circuit.CLOSED, 0)
    fail(health, 1)
    assert health.circuit is Circuit.OPEN
    assert health.admit() == 2
    assert health.score == 0.5


def test_a_few_failures_among_many_calls_do_not_open_it(health: ProviderHealth) -> None:
    for _ in range(100):
        health.succeeded()
    fail(health, 50)
    assert health.circuit is Circuit.CLOSED


def test_half_open_lets_one_call_probe_and_its_success_closes(health: ProviderHealth, clock: Clock) -> None:
    fail(health, 5)
    clock.now += 2
    assert health.circuit is Circuit.HALF_OPEN
    assert health.admit() == 0
    assert health.admit() > 0
    health.succeeded()
    assert (health.circuit, health.admit()) == (Circuit.CLOSED, 0)
    fail(health, 1)  # what opened it before does not count again
    assert health.circuit is Circuit.CLOSED


def test_each_failed_probe_doubles_the_pause_up_to_a_limit(health: ProviderHealth, clock: Clock) -> None:
    fail(health, 5)
    for pause in (2, 4, 8, 10, 10):
        assert health.admit() == pause
        clock.now += pause
        assert health.admit() == 0
        fail(health, 1)


def test_a_probe_that_says_nothing_makes_room_for_another(health: ProviderHealth, clock: Clock) -> None:
    fail(health, 5)
    clock.now += 2
    assert health.admit() == 0
    health.abandoned()
    assert health.admit() == 0


def test_old_calls_leave_the_window(health: ProviderHealth, clock: Clock) -> None:
    fail(health, 4)
    clock.now += 31
    fail(health, 4)
    assert health.counts() == (0, 4)
    assert health.circuit is Circuit.CLOSED
