"""Sans-IO: when a busy socket is read at once, and when a moment later."""

import pytest

from sipcore.transport.pace import ENOUGH, GOOD, MANY, STEPS, WINDOW, Pace

MOST = 0.004
LEAST = MOST / STEPS


def wake_ups(pace: Pace, gap: float, count: int = WINDOW) -> list[bool]:
    return [pace.wants_rest(100.0 + gap * number) for number in range(count)]


def reads(pace: Pace, datagrams: int, count: int = WINDOW) -> list[bool]:
    return [pace.goes_on(datagrams, 100.0 + number * MOST) for number in range(count)]


def settle(pace: Pace, per_second: float, seconds: float = 2.0) -> bool:
    """Read at a steady rate; whether it still rests at the end."""
    now = 100.0
    while now < 100.0 + seconds:
        now += pace.wait
        if not pace.goes_on(round(per_second * pace.wait), now):
            return False
    return True


def test_wake_ups_close_to_each_other_make_it_rest() -> None:
    assert any(wake_ups(Pace(MOST), MOST / 10, 2 * WINDOW))


def test_wake_ups_that_are_rare_never_do() -> None:
    assert not any(wake_ups(Pace(MOST), MOST, 50 * WINDOW))


def test_one_burst_is_read_at_once() -> None:
    pace = Pace(MOST)
    assert not any(pace.wants_rest(100.0 + number * 1.0) for number in range(WINDOW))
    assert not any(pace.wants_rest(200.0) for _ in range(WINDOW - 1))


@pytest.mark.parametrize(
    ("per_second", "wait"), [(1_200, MOST), (3_000, MOST / 2), (6_000, LEAST), (60_000, LEAST)]
)
def test_it_waits_no_longer_than_it_takes_to_find_a_few(per_second: float, wait: float) -> None:
    pace = Pace(MOST)
    assert settle(pace, per_second)
    assert pace.wait == wait


def test_a_wait_that_brings_many_becomes_shorter() -> None:
    pace = Pace(MOST)
    reads(pace, GOOD - 1, 2 * WINDOW)
    assert pace.wait == MOST
    reads(pace, MANY)
    assert pace.wait == MOST / 2


def test_it_reads_at_once_again_when_little_comes_in_the_longest_wait() -> None:
    pace = Pace(MOST)
    going = reads(pace, ENOUGH - 1, 3 * WINDOW)
    assert going.index(False) == 3 * WINDOW - 1


def test_it_begins_anew_with_the_shortest_wait() -> None:
    pace = Pace(MOST)
    reads(pace, ENOUGH - 1, 3 * WINDOW)
    assert pace.wait == MOST
    begin = 100.0 + 3 * WINDOW * MOST
    assert any(pace.wants_rest(begin + number * MOST / 10) for number in range(WINDOW))
    assert pace.wait == LEAST
