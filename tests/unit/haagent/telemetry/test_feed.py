"""Readers of the newest events, each at its own pace."""

from hypothesis import given
from hypothesis import strategies as st

from haagent.telemetry.feed import Feed


def published(feed: Feed, count: int) -> Feed:
    for number in range(1, count + 1):
        feed.publish("note", b"%d" % number)
    return feed


def test_a_reader_gets_what_came_after_the_event_that_it_names() -> None:
    feed = published(Feed("run"), 5)
    entries, lost = feed.after(feed.begin("run-3"))
    assert ([e.data for e in entries], lost) == ([b"4", b"5"], 0)
    assert feed.id_of(entries[-1]) == "run-5"


def test_a_reader_without_an_id_begins_with_what_comes_next() -> None:
    feed = published(Feed("run"), 5)
    assert [e.number for e in feed.after(feed.begin(None, last=2))[0]] == [4, 5]
    assert feed.begin(None, last=9) == 0
    number = feed.begin(None)
    assert feed.after(number) == ([], 0)
    feed.publish("alarm", b"{}")
    assert [e.name for e in feed.after(number)[0]] == ["alarm"]


def test_an_id_of_an_earlier_life_or_of_nobody_gets_all_of_this_life() -> None:
    feed = published(Feed("run"), 3)
    for strange in ("other-2", "run-4", "run-", "run--1", "run-٣", "x", "-", "run-9999999999999999999999"):
        assert feed.begin(strange) == 0, strange
    assert len(feed.after(0)[0]) == 3


def test_what_was_overwritten_is_counted_as_lost() -> None:
    feed = published(Feed("run", keep=4), 10)
    entries, lost = feed.after(3)
    assert ([e.number for e in entries], lost) == ([7, 8, 9, 10], 3)


def test_readers_are_woken_by_an_event_and_by_the_end() -> None:
    feed, woken = Feed("run"), []
    feed.watchers.add(lambda: woken.append(feed.closed))
    feed.publish("note", b"{}")
    feed.close()
    assert woken == [False, True]


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 8))
def test_a_reader_at_any_pace_gets_each_event_once_or_as_lost(bursts: list[int], keep: int) -> None:
    feed, number, seen, lost = Feed("run", keep=keep), 0, [], 0
    for burst in bursts:
        published(feed, burst)
        entries, missed = feed.after(number)
        number, lost = feed.newest, lost + missed
        seen += [e.number for e in entries]
    assert len(seen) + lost == feed.newest
    assert seen == sorted(set(seen))
