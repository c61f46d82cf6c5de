"""Sans-IO: the circuit breaker."""

from sipcore.cachedb.breaker import Breaker, BreakerState


def failed(breaker: Breaker, times: int, now: float = 0.0) -> Breaker:
    for _ in range(times):
        breaker.on_failure(now)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = failed(Breaker(threshold=3), 2)
    assert breaker.allows(0.0)
    assert not failed(breaker, 1).allows(0.0)
    assert breaker.opened == 1


def test_a_success_between_them_keeps_it_closed() -> None:
    breaker = failed(Breaker(threshold=3), 2)
    breaker.on_success()
    assert failed(breaker, 2).allows(0.0)


def test_after_the_pause_one_call_may_try_and_no_other() -> None:
    breaker = failed(Breaker(threshold=1, pause=0.5), 1)
    assert not breaker.allows(0.49)
    assert breaker.allows(0.5)
    assert not breaker.allows(0.5)
    breaker.on_success()
    assert breaker.state is BreakerState.CLOSED


def test_each_failed_try_doubles_the_pause_up_to_its_limit() -> None:
    breaker = failed(Breaker(threshold=1, pause=1.0, longest_pause=3.0), 1)
    now = 0.0
    for pause in (1.0, 2.0, 3.0, 3.0):
        assert not breaker.allows(now + pause - 0.01)
        now += pause
        assert breaker.allows(now)
        breaker.on_failure(now)


def test_a_success_makes_the_next_pause_short_again() -> None:
    breaker = failed(Breaker(threshold=1, pause=1.0), 1)
    assert breaker.allows(1.0)
    breaker.on_failure(1.0)
    assert breaker.allows(3.0)
    breaker.on_success()
    failed(breaker, 1, 10.0)
    assert breaker.allows(11.0)


def test_a_late_failure_of_an_earlier_call_does_not_prolong_the_pause() -> None:
    breaker = failed(Breaker(threshold=1, pause=1.0), 1)
    failed(breaker, 5, 0.9)
    assert breaker.allows(1.0)
