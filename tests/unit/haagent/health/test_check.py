"""One check in virtual time: schedule, rise, fall, window, timeout, hint and suspension."""

from haagent.health.check import (
    AbandonRun,
    Check,
    CheckEffect,
    CheckSettings,
    Result,
    StartRun,
    Verdict,
    VerdictChanged,
)

GOOD, BAD = Result(True, "fine"), Result(False, "refused")


class Run:
    """A check whose probe answers as told, at once."""

    def __init__(self, **settings: object) -> None:
        self.check = Check(CheckSettings("redis", **settings))  # type: ignore[arg-type]  # its fields
        self.now = 100.0
        self.starts: list[float] = []
        self.changes: list[VerdictChanged] = []

    def feed(self, *results: bool) -> None:
        for good in results:
            if not self.starts:
                self._take(self.check.on_startup(self.now))
            else:
                assert self.check.deadline is not None
                self.now = max(self.now, self.check.deadline)
                self._take(self.check.on_timer(self.now))
            number = len(self.starts)
            self._take(self.check.on_result(number, GOOD if good else BAD, self.now))

    def _take(self, effects: list[CheckEffect]) -> None:
        self.starts += [self.now for e in effects if isinstance(e, StartRun)]
        self.changes += [e for e in effects if isinstance(e, VerdictChanged)]

    @property
    def verdict(self) -> str:
        return self.check.verdict.value


def test_the_first_result_decides_at_once() -> None:
    for first, verdict in ((True, Verdict.UP), (False, Verdict.DOWN)):
        run = Run(rise=5, fall=5)
        run.feed(first)
        assert run.verdict == verdict


def test_a_patient_check_needs_fall_failures_from_the_start_and_one_success() -> None:
    run = Run(fall=2, patient=True)
    run.feed(False)
    assert run.verdict == "unknown"
    run.feed(False)
    assert run.verdict == "down"
    well = Run(fall=2, patient=True)
    well.feed(False, True)
    assert well.verdict == "up"


def test_it_goes_down_after_fall_failures_in_a_row_and_not_before() -> None:
    run = Run(fall=3)
    run.feed(True, False, False, True, False, False)
    assert run.verdict == "up"
    run.feed(False)
    assert run.verdict == "down"
    assert run.changes[-1].reason == "refused (3 times in a row)"


def test_it_comes_up_after_rise_successes_in_a_row_and_not_before() -> None:
    run = Run(rise=3, fall=1)
    run.feed(False, True, True, False, True, True)
    assert run.verdict == "down"
    run.feed(True)
    assert run.verdict == "up"


def test_three_bad_results_of_five_bring_it_down_though_no_two_follow_each_other() -> None:
    run = Run(fall=10, window=5, window_failures=3)
    run.feed(True, False, True, False, True)
    assert run.verdict == "up"
    run.feed(False)
    assert run.verdict == "down"
    assert run.changes[-1].reason == "refused (3 of the last 5 results were bad)"


def test_a_window_that_is_still_bad_keeps_it_down_whatever_rise_says() -> None:
    run = Run(rise=1, fall=3, window=5, window_failures=2)
    run.feed(False, False, True, True, True)
    assert run.verdict == "down"
    run.feed(True)
    assert run.verdict == "up"


def test_init_up_and_down_need_fall_and_rise_results_to_change() -> None:
    up, down = Run(init=Verdict.UP, fall=2), Run(init=Verdict.DOWN, rise=2)
    up.feed(False)
    down.feed(True)
    assert (up.verdict, down.verdict) == ("up", "down")
    up.feed(False)
    down.feed(True)
    assert (up.verdict, down.verdict) == ("down", "up")


def test_runs_keep_the_beat_of_the_interval() -> None:
    run = Run(interval=0.5)
    run.feed(*[True] * 4)
    assert run.starts == [100.0, 100.5, 101.0, 101.5]


def test_a_hanging_run_is_a_failure_at_its_timeout_and_its_late_answer_counts_for_nothing() -> None:
    check = Check(CheckSettings("script", interval=1.0, timeout=0.4, fall=1))
    assert check.on_startup(10.0) == [StartRun(1)]
    assert check.deadline == 10.4
    effects = check.on_timer(10.4)
    assert effects == [
        AbandonRun(1),
        VerdictChanged(Verdict.UNKNOWN, Verdict.DOWN, "no answer within 400 ms"),
    ]
    assert check.on_result(1, GOOD, 10.5) == []
    assert (check.verdict, check.runs, check.timeouts) == (Verdict.DOWN, 1, 1)
    assert check.on_timer(11.0) == [StartRun(2)]


def test_a_run_longer_than_the_interval_delays_the_next_one_and_none_is_made_up_for() -> None:
    check = Check(CheckSettings("slow", interval=0.1, timeout=1.0))
    check.on_startup(0.0)
    assert check.on_timer(0.5) == []
    check.on_result(1, GOOD, 0.55)
    assert check.on_timer(0.55) == [StartRun(2)]
    check.on_result(2, GOOD, 0.56)
    assert check.deadline == 0.65


def test_a_hint_has_it_look_at_once() -> None:
    check = Check(CheckSettings("process", interval=5.0, fall=1))
    check.on_startup(0.0)
    check.on_result(1, GOOD, 0.0)
    assert check.on_hint(1.0) == [StartRun(2)]
    assert check.on_hint(1.0) == []  # it looks already
    assert check.on_result(2, BAD, 1.0) == [VerdictChanged(Verdict.UP, Verdict.DOWN, "refused")]
    assert check.deadline == 6.0


def test_a_suspended_check_does_not_run_and_holds_a_bad_verdict_for_a_while() -> None:
    check = Check(CheckSettings("options", fall=1, hold=30.0))
    check.on_startup(0.0)
    check.on_result(1, BAD, 0.0)
    assert check.on_role(False, 2.0) == []
    assert (check.verdict, check.deadline) == (Verdict.DOWN, 32.0)
    assert check.on_timer(31.9) == []
    change = check.on_timer(32.0)
    assert change == [VerdictChanged(Verdict.DOWN, Verdict.UNKNOWN, "it does not run in this role")]
    assert check.deadline is None
    assert check.on_role(True, 50.0) == [StartRun(2)]


def test_suspending_abandons_the_run_under_way_and_forgets_a_good_verdict() -> None:
    check = Check(CheckSettings("options"))
    check.on_startup(0.0)
    check.on_result(1, GOOD, 0.0)
    check.on_timer(1.0)
    effects = check.on_role(False, 1.1)
    assert effects[0] == AbandonRun(2)
    assert check.verdict is Verdict.UNKNOWN
    assert check.on_result(2, BAD, 1.2) == []
