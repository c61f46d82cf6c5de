"""Sans-IO: the timer wheel under virtual time."""

import pytest

from sipcore.timers import Timer, TimerWheel


class Log:
    """Remembers which timers fired, and when."""

    def __init__(self) -> None:
        self.fired: list[tuple[str, float]] = []

    def __call__(self, name: str) -> "Note":
        return Note(self, name)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.fired]


class Note:
    """A callback that writes its name down."""

    def __init__(self, log: Log, name: str) -> None:
        self.log = log
        self.name = name

    def __call__(self, now: float) -> None:
        self.log.fired.append((self.name, now))


def test_timers_fire_in_the_order_of_their_time_and_never_before_it() -> None:
    wheel, log = TimerWheel(), Log()
    for at in (0.5, 0.1, 0.3):
        wheel.schedule(at, log(str(at)))
    wheel.advance(0.09)
    assert log.names == []
    wheel.advance(0.3)
    assert log.names == ["0.1", "0.3"]
    wheel.advance(1.0)
    assert log.fired[-1] == ("0.5", 1.0)
    assert wheel.pending == 0
    assert wheel.deadline is None


def test_a_cancelled_timer_does_not_fire_and_may_be_cancelled_again() -> None:
    wheel, log = TimerWheel(), Log()
    timer = wheel.schedule(0.1, log("a"))
    wheel.cancel(timer)
    wheel.cancel(timer)
    wheel.advance(1.0)
    assert (log.names, wheel.pending) == ([], 0)


def test_a_callback_may_cancel_a_timer_that_is_due_in_the_same_tick() -> None:
    wheel, log = TimerWheel(), Log()
    victims: list[Timer] = []
    wheel.schedule(0.1, lambda _: wheel.cancel(victims[0]))
    victims.append(wheel.schedule(0.1, log("victim")))
    wheel.advance(0.2)
    assert (log.names, wheel.pending) == ([], 0)


def test_a_timer_that_a_callback_starts_in_the_past_fires_in_a_later_tick() -> None:
    wheel, log = TimerWheel(), Log()
    wheel.schedule(0.1, lambda now: void(wheel.schedule(now - 1, log("child"))))
    wheel.advance(0.1)
    assert log.names == []
    wheel.advance(0.13)
    assert log.names == ["child"]


def test_a_timer_further_away_than_a_turn_of_the_wheel_waits_for_its_turn() -> None:
    wheel, log = TimerWheel(slots=8), Log()
    wheel.schedule(0.25, log("far"))
    wheel.schedule(0.09, log("near"))
    for step in range(1, 25):
        wheel.advance(step / 100)
        assert "far" not in log.names, step
    wheel.advance(0.25)
    assert log.names == ["near", "far"]


def test_after_a_pause_longer_than_a_turn_all_that_is_due_fires_in_order() -> None:
    wheel, log = TimerWheel(slots=8), Log()
    for at in (0.26, 0.11, 0.02, 0.19):
        wheel.schedule(at, log(str(at)))
    wheel.schedule(9.0, log("not yet"))
    wheel.advance(5.0)
    assert log.names == ["0.02", "0.11", "0.19", "0.26"]
    assert wheel.pending == 1


def test_a_clock_that_leaps_by_years_costs_no_more_than_one_turn() -> None:
    wheel, log = TimerWheel(), Log()
    wheel.schedule(1.0, log("due"))
    wheel.schedule(3e9, log("not yet"))
    wheel.advance(1e9)  # walking there tick by tick would take hours
    assert (log.names, wheel.pending) == (["due"], 1)


@pytest.mark.parametrize("start", [0.0, 1e6, 3e9])
def test_advancing_to_the_deadline_always_gets_on_also_late_in_the_life_of_a_clock(start: float) -> None:
    wheel, log = TimerWheel(now=start), Log()
    for step in range(1, 200):
        wheel.schedule(start + step * 0.0173, log(str(step)))
    for _ in range(500):
        deadline = wheel.deadline
        if deadline is None:
            break
        wheel.advance(deadline)
    assert len(log.fired) == 199
    assert all(now >= start + int(name) * 0.0173 - 1e-5 for name, now in log.fired)


def test_the_deadline_is_never_later_than_the_next_timer() -> None:
    wheel, log = TimerWheel(), Log()
    wheel.schedule(60.0, log("far"))
    now = 0.0
    while wheel.deadline is not None:
        assert now < wheel.deadline <= 60.01
        now = wheel.deadline
        wheel.advance(now)
    assert log.names == ["far"]
    assert now == pytest.approx(60.0, abs=0.011)


def test_the_number_of_slots_must_be_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="1000 is not a power of two"):
        TimerWheel(slots=1000)


def void(_: object) -> None:
    """Drop a value."""
