"""Sans-IO: when a busy socket is read at once, and when a moment later."""

from sipcore.transport.pace import ENOUGH, WINDOW, Pace

WAIT = 0.001


def wake_ups(pace: Pace, gap: float, count: int = WINDOW) -> list[bool]:
    return [pace.wants_rest(100.0 + gap * number) for number in range(count)]


def test_wake_ups_close_to_each_other_make_it_rest() -> None:
    assert any(wake_ups(Pace(WAIT), WAIT / 10, 2 * WINDOW))


def test_wake_ups_that_are_rare_never_do() -> None:
    assert not any(wake_ups(Pace(WAIT), WAIT, 50 * WINDOW))


def test_one_burst_is_read_at_once() -> None:
    pace = Pace(WAIT)
    assert not any(pace.wants_rest(100.0 + number * 1.0) for number in range(WINDOW))
    assert not any(pace.wants_rest(200.0) for _ in range(WINDOW - 1))


def test_it_goes_on_as_long_as_there_is_enough_to_read() -> None:
    pace = Pace(WAIT)
    assert all(pace.goes_on(ENOUGH, 100.0 + number * WAIT) for number in range(10 * WINDOW))


def test_it_reads_at_once_again_when_little_comes() -> None:
    pace = Pace(WAIT)
    going = [pace.goes_on(1, 100.0 + number * WAIT) for number in range(WINDOW)]
    assert going == [True] * (WINDOW - 1) + [False]


def test_the_time_that_it_rested_does_not_count_as_a_pause() -> None:
    pace = Pace(WAIT)
    for number in range(WINDOW):
        pace.goes_on(1, 100.0 + number * WAIT)
    begin = 100.0 + WINDOW * WAIT
    assert any(pace.wants_rest(begin + number * WAIT / 10) for number in range(WINDOW))
