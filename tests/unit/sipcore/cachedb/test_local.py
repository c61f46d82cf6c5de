"""Sans-IO: the table of the in-process store: bounds and ends of life in virtual time."""

from math import inf

import pytest

from sipcore.cachedb import CacheQueryError
from sipcore.cachedb.local import LocalTable


def test_a_value_is_there_until_its_end_and_not_at_it() -> None:
    table = LocalTable("local")
    table.set(b"key", b"value", 10.0, 0.0)
    assert table.get(b"key", 9.99) == b"value"
    assert table.get(b"key", 10.0) is None
    assert len(table) == table.bytes == 0


def test_a_full_table_refuses_what_is_new_and_keeps_what_it_has() -> None:
    table = LocalTable("local", max_entries=2)
    table.set(b"a", b"1", inf, 0.0)
    table.set(b"b", b"1", inf, 0.0)
    with pytest.raises(CacheQueryError, match="2 entries"):
        table.set(b"c", b"1", inf, 0.0)
    table.set(b"a", b"2", inf, 0.0)
    assert table.get(b"a", 0.0) == b"2"


def test_what_is_over_makes_room() -> None:
    table = LocalTable("local", max_entries=2)
    table.set(b"a", b"1", 5.0, 0.0)
    table.set(b"b", b"1", 6.0, 0.0)
    table.set(b"c", b"1", inf, 5.5)
    assert [table.get(key, 5.5) for key in (b"a", b"b", b"c")] == [None, b"1", b"1"]


def test_bytes_are_bounded_too() -> None:
    table = LocalTable("local", max_bytes=10)
    table.set(b"a", b"12345", inf, 0.0)
    with pytest.raises(CacheQueryError, match="10 bytes"):
        table.set(b"b", b"12345", inf, 0.0)
    assert table.bytes == 6


def test_a_renewed_value_lives_to_its_new_end() -> None:
    table = LocalTable("local", max_entries=1)
    table.set(b"a", b"1", 5.0, 0.0)
    table.set(b"a", b"1", 50.0, 1.0)
    with pytest.raises(CacheQueryError):
        table.set(b"b", b"1", inf, 6.0)
    assert table.get(b"a", 49.0) == b"1"


def test_renewals_leave_nothing_behind() -> None:
    table = LocalTable("local")
    for number in range(10_000):
        table.set(b"a", b"1", 100.0 + number, float(number) / 1000)
    assert len(table._ends) < 100
