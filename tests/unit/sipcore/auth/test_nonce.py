"""Sans-IO: nonces that both nodes can judge."""

from sipcore.auth.nonce import Freshness, Nonces


def test_a_nonce_of_one_node_is_good_on_the_other_whatever_its_monotonic_clock() -> None:
    a = Nonces(b"secret", wall_offset=1_000_000.0)
    b = Nonces(b"secret", wall_offset=1_000_000.0 - 500.0)
    nonce = a.issue(10.0)
    assert b.check(nonce, 510.0) is Freshness.FRESH
    assert b.check(nonce, 510.0 + 301.0) is Freshness.STALE


def test_a_nonce_with_another_secret_time_or_shape_is_forged() -> None:
    nonces = Nonces(b"secret")
    good = nonces.issue(10.0)
    for bad in (
        Nonces(b"other").issue(10.0),
        b"0000000b" + good[8:],
        good[:-1],
        b"",
        b"x" * 40,
        b"\xff" * 40,
    ):
        assert nonces.check(bad, 10.0) is Freshness.FORGED
    assert nonces.check(good, 10.0) is Freshness.FRESH
