"""Sans-IO: nonces that both nodes can judge, and the counts that were used."""

from hypothesis import given
from hypothesis import strategies as st

from sipcore.auth.nonce import WINDOW, Freshness, Nonces, Window
from sipcore.auth.replica import NonceReplica

FRESH, STALE, FORGED = Freshness.FRESH, Freshness.STALE, Freshness.FORGED


def test_a_nonce_of_one_node_is_good_on_the_other_whatever_its_monotonic_clock() -> None:
    a = Nonces(b"secret", node=b"a", wall_offset=1_000_000.0)
    b = Nonces(b"secret", node=b"b", wall_offset=1_000_000.0 - 500.0)
    nonce = a.issue(10.0)
    assert b.check(nonce, 1, 510.0) is FRESH
    assert b.check(nonce, 1, 510.0 + 301.0) is STALE


def test_a_nonce_with_another_secret_time_or_shape_is_forged() -> None:
    nonces = Nonces(b"secret")
    good = nonces.issue(10.0)
    for bad in (
        Nonces(b"other").issue(10.0),
        b"0000000b" + good[8:],
        good[:-1],
        b"",
        b"x" * 44,
        b"\xff" * 44,
    ):
        assert nonces.check(bad, 1, 10.0) is FORGED
    assert nonces.check(good, 1, 10.0) is FRESH


def test_no_nonce_is_given_twice() -> None:
    a, b = Nonces(b"secret", node=b"a"), Nonces(b"secret", node=b"b")
    assert len({nonces.issue(10.0) for nonces in (a, b) for _ in range(100)}) == 200


def test_a_count_is_good_once_and_the_order_is_free_within_the_window() -> None:
    nonces = Nonces(b"secret")
    nonce = nonces.issue(10.0)
    for count in (1, 3, 2, 100, 99, 100 - WINDOW + 1):
        assert nonces.check(nonce, count, 10.0) is FRESH
        nonces.use(nonce, count, 10.0)
        assert nonces.check(nonce, count, 10.0) is STALE
    assert nonces.check(nonce, 100 - WINDOW, 10.0) is STALE  # perhaps it was used: nobody knows any more


def test_what_one_node_saw_used_is_used_on_the_other() -> None:
    a, b = Nonces(b"secret", node=b"a"), Nonces(b"secret", node=b"b")
    nonce = a.issue(10.0)
    a.use(nonce, 1, 10.0)
    a.use(nonce, 4, 10.0)
    payload = NonceReplica(a).pack(nonce, 10.0)
    assert payload is not None
    replica = NonceReplica(b)
    assert replica.apply(nonce, payload, 1, 10.0) is True
    assert replica.apply(nonce, payload, 1, 10.0) is False
    assert [b.check(nonce, count, 10.0) for count in (1, 2, 3, 4, 5)] == [STALE, FRESH, FRESH, STALE, FRESH]


def test_a_nonce_from_before_this_process_is_stale_unless_the_peer_told_of_it() -> None:
    old = Nonces(b"secret")
    unknown, told = old.issue(10.0), old.issue(10.0)
    new = Nonces(b"secret", since=12.0)
    new.merge(told, Window(1, 1), 12.0)
    assert new.check(unknown, 1, 13.0) is STALE
    assert new.check(told, 2, 13.0) is FRESH


def test_a_full_table_forgets_the_oldest_and_calls_it_stale() -> None:
    nonces = Nonces(b"secret", max_tracked=10)
    first = nonces.issue(1.0)
    nonces.use(first, 1, 1.0)
    for second in range(2, 40):
        nonces.use(nonces.issue(float(second)), 1, float(second))
    assert len(nonces) <= 10
    assert nonces.check(first, 1, 40.0) is STALE
    assert nonces.check(nonces.issue(40.0), 1, 40.0) is FRESH


def test_windows_go_with_the_life_of_their_nonces() -> None:
    nonces = Nonces(b"secret")
    for second in range(0, 3000, 10):
        nonces.use(nonces.issue(float(second)), 1, float(second))
    assert len(nonces) <= 32


@given(st.lists(st.integers(1, 200), max_size=60), st.lists(st.integers(1, 200), max_size=60))
def test_merged_windows_allow_no_count_that_either_saw(mine: list[int], theirs: list[int]) -> None:
    a, b = Window(), Window()
    for window, counts in ((a, mine), (b, theirs)):
        for count in counts:
            if window.allows(count):
                window.use(count)
    a.merge(b)
    assert not any(a.allows(count) for count in (*mine, *theirs))
    assert a.allows(max((0, *mine, *theirs)) + 1)
