"""Sans-IO: the timer wheel beside a list: what fires when, and a deadline that is never too late."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sipcore.timers import Timer, TimerWheel

TICK = 1 / 64  # exact in binary
STEPS = st.one_of(
    st.tuples(st.just("schedule"), st.integers(-5, 400)),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("advance"), st.integers(1, 120)),
)


def note(fired: list[int], number: int) -> Callable[[float], None]:
    return lambda _: fired.append(number)


@given(st.lists(STEPS, max_size=60), st.sampled_from((8, 64, 8192)))
def test_each_timer_fires_once_at_the_first_advance_after_its_time(
    steps: list[tuple[str, int]], slots: int
) -> None:
    wheel = TimerWheel(tick=TICK, slots=slots)
    now, made, fired = 0, dict[int, tuple[int, Timer]](), list[int]()
    for number, (step, value) in enumerate(steps):
        if step == "schedule":
            due = max(now + value, now + 1)
            made[number] = due, wheel.schedule((now + value) * TICK, note(fired, number))
        elif step == "cancel" and made:
            gone = sorted(made)[value % len(made)]
            wheel.cancel(made.pop(gone)[1])
        elif step == "advance":
            now += value
            wheel.advance(now * TICK)
            over = {key for key, (due, _) in made.items() if due <= now}
            assert set(fired) == over
            assert len(fired) == len(over)
            fired.clear()
            for key in over:
                del made[key]
        assert wheel.pending == len(made)
        assert (wheel.deadline is None) == (not made)
        if made:
            assert wheel.deadline is not None
            assert wheel.deadline <= min(due for due, _ in made.values()) * TICK + 1e-9
