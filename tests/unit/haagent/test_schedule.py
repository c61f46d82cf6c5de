"""A switchover at a time: which are taken, and when one is due."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from haagent.schedule import Due, Planned, due, parse_when, refuse

NOW = datetime(2026, 11, 28, 1, 30, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("03:00", datetime(2026, 11, 28, 2, 0, tzinfo=UTC)),
        ("01:30", datetime(2026, 11, 29, 0, 30, tzinfo=UTC)),  # it is that now: tomorrow
        ("1:15:30", datetime(2026, 11, 29, 0, 15, 30, tzinfo=UTC)),
        ("2026-11-30T12:00", datetime(2026, 11, 30, 11, 0, tzinfo=UTC)),
        ("2026-11-30T12:00Z", datetime(2026, 11, 30, 12, 0, tzinfo=UTC)),
    ],
)
def test_a_time_of_the_day_is_the_next_one_and_a_date_is_local_unless_it_says_otherwise(
    text: str, found: datetime
) -> None:
    assert parse_when(text, NOW) == found


@pytest.mark.parametrize("text", ["", "soon", "25:00", "12", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is the standard library's for 25:00
        parse_when(text, NOW)


def test_the_past_and_the_far_future_cannot_be_planned() -> None:
    assert refuse(99.0, 100.0) == "at: 1 s ago"
    assert refuse(100.0 + 31 * 86400, 100.0) == "at: in 31.0 days, at most 30"
    assert refuse(101.0, 100.0) is None


@pytest.mark.parametrize(
    ("now", "found"), [(99.9, Due.WAIT), (100.0, Due.NOW), (159.9, Due.NOW), (160.0, Due.MISSED)]
)
def test_it_is_due_at_its_time_and_missed_a_minute_later(now: float, found: Due) -> None:
    assert due(Planned(100.0, "operator"), now) is found
