"""A check against a model of its history, and the bounds of weights."""

from hypothesis import given
from hypothesis import strategies as st

from haagent.health import weights
from haagent.health.check import AbandonRun, Check, CheckEffect, CheckSettings, Result, StartRun, Verdict
from haagent.health.weights import Finding

verdicts = st.sampled_from(list(Verdict))
where = st.sampled_from([(), ("sip",), ("web",)])


def believed(history: list[bool], rise: int, fall: int, window: int, failures: int) -> Verdict:
    """The verdict after these results, told from the whole history by its definition."""
    up = history[0]
    for end in range(2, len(history) + 1):
        seen = history[:end]
        recent = seen[-window:] if window else []
        pattern = window > 0 and recent.count(False) >= failures
        if up:
            up = not (seen[-fall:] == [False] * fall or (pattern and not seen[-1]))
        else:
            up = seen[-rise:] == [True] * rise and not pattern
    return Verdict.UP if up else Verdict.DOWN


@given(
    history=st.lists(st.booleans(), min_size=1, max_size=40),
    rise=st.integers(1, 5),
    fall=st.integers(1, 5),
    window=st.integers(0, 8),
    share=st.integers(1, 8),
)
def test_rise_fall_and_window_are_as_the_whole_history_says(
    history: list[bool], rise: int, fall: int, window: int, share: int
) -> None:
    failures = min(share, window) if window else 0
    settings = CheckSettings("c", rise=rise, fall=fall, window=window, window_failures=failures)
    check = Check(settings)
    now = 0.0
    check.on_startup(now)
    for number, good in enumerate(history, start=1):
        check.on_result(number, Result(good, ""), now)
        assert check.verdict is believed(history[:number], rise, fall, window, failures)
        now = check.deadline or now
        assert check.on_timer(now) == [StartRun(number + 1)]


steps = st.tuples(st.sampled_from(["timer", "good", "bad", "old", "hint", "off", "on"]), st.floats(0, 3))


@given(st.lists(steps, max_size=60))
def test_runs_never_overlap_and_a_hanging_one_never_holds_the_check_up(plan: list[tuple[str, float]]) -> None:
    check = Check(CheckSettings("c", interval=0.7, timeout=1.1, fall=2))
    now, running, number = 0.0, False, 0

    def take(effects: list[CheckEffect]) -> None:
        nonlocal running, number
        for effect in effects:
            if isinstance(effect, StartRun):
                assert not running
                running, number = True, effect.number
            elif isinstance(effect, AbandonRun):
                assert running
                assert effect.number == number
                running = False

    take(check.on_startup(now))
    for what, after in plan:
        now += after
        if what in ("good", "bad") and running:
            running = False
            take(check.on_result(number, Result(what == "good", ""), now))
        elif what == "old":
            assert check.on_result(number - 1, Result(True, ""), now) == []
        elif what == "hint":
            take(check.on_hint(now))
        elif what in ("off", "on"):
            take(check.on_role(what == "on", now))
        take(check.on_timer(now))
        assert running or check.suspended or (check.deadline or 0.0) > now - 1e-9
        assert check.deadline is None or check.deadline > now or not running


@given(
    base=st.integers(1, 255),
    checks=st.lists(st.tuples(st.integers(-253, 253), verdicts, where), max_size=6),
)
def test_an_effective_priority_is_one_that_a_backup_may_have_and_an_owner_keeps_its_own(
    base: int, checks: list[tuple[int, Verdict, tuple[str, ...]]]
) -> None:
    findings = [Finding(str(n), verdict, weight, on) for n, (weight, verdict, on) in enumerate(checks)]
    effective = weights.effective_priority(base, "sip", findings)
    assert effective == base if base == 255 else 1 <= effective <= 254
    assert weights.penalty(base, "sip", findings) >= 0
