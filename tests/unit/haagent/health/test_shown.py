"""What status and metrics show of a check."""

from rich.console import Console

from haagent import metrics, views
from haagent.config.checks import RedisCheck
from haagent.health.board import check_settings, row
from haagent.health.check import Check, Result, Verdict
from haagent.telemetry.figures import Figures

CONFIG = RedisCheck(name="redis", weight=-20)
STATUS = {
    "node": "a",
    "role": "MASTER",
    "epoch": 1,
    "reason": "no master advertises",
    "routers": [],
    "peer": None,
    "core": None,
    "realtime": {},
    "pid": 1,
    "guard_pid": 2,
}


def failed_twice() -> dict[str, object]:
    check = Check(check_settings(CONFIG, "always"))
    check.on_startup(10.0)
    check.on_result(1, Result(True, "answers PING"), 10.001)
    check.on_timer(11.0)
    check.on_result(2, Result(False, "refused"), 11.002)
    check.on_timer(12.0)
    check.on_timer(13.0)
    return row(CONFIG, check, "always", 13.25)


def test_a_row_has_last_result_duration_streak_and_next_run() -> None:
    shown = failed_twice()
    assert shown["verdict"] == Verdict.UP.value  # fall is 3
    assert shown["last"] == {"good": False, "reason": "no answer within 1000 ms", "value": None}
    assert (shown["last_ago"], shown["duration_ms"], shown["streak"]) == (0.25, 1000.0, -2)
    assert (shown["runs"], shown["failures"], shown["timeouts"], shown["next_run"]) == (3, 2, 1, 0.75)


def test_status_shows_each_check_in_a_line() -> None:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(views.status({**STATUS, "checks": [failed_twice()]}))
    line = next(line for line in captured.get().splitlines() if "no answer within" in line)
    for word in ("redis", "up", "-20", "1000.0 ms", "-2", "in 0.75 s"):
        assert word in line


def test_metrics_count_runs_by_result_and_tell_nothing_of_what_is_unknown() -> None:
    text = metrics.render({**STATUS, "checks": [failed_twice()]}, Figures()).decode()
    labels = 'check="redis",kind="redis"'
    assert f"haagent_check_up{{{labels}}} 1.0" in text
    assert f'haagent_check_runs_total{{{labels},result="good"}} 1.0' in text
    assert f'haagent_check_runs_total{{{labels},result="bad"}} 1.0' in text
    assert f'haagent_check_runs_total{{{labels},result="timeout"}} 1.0' in text
    unknown = row(CONFIG, Check(check_settings(CONFIG, "always")), "always", 1.0)
    assert "haagent_check_up{" not in metrics.render({**STATUS, "checks": [unknown]}, Figures()).decode()
