"""The core runs with the cyclic collector off: its work, with a takeover, leaves no unreachable cycle."""

import gc
from collections import Counter
from collections.abc import Iterator

import pytest

from sipcore.transport.layer import Hop
from tests.kit.sip_pair import Play, Script, SipPair

ROUNDS = 40


@pytest.fixture
def collector() -> Iterator[None]:
    """Off during the test."""
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def calls(number: int) -> Script:
    """One call that is answered, one refused, one cancelled, one to nobody."""
    answered, refused, cancelled, nobody = (f"{number}-{kind}" for kind in range(4))
    return [
        *(
            (0.0, lambda p, n=n: p.phones["alice"].call(n, b"alice", b"bob", p.now))
            for n in (answered, refused)
        ),
        (0.0, lambda p: p.phones["alice"].call(cancelled, b"alice", b"bob", p.now)),
        (0.0, lambda p: p.phones["alice"].call(nobody, b"alice", b"nobody", p.now)),
        (0.1, lambda p: p.phones["bob"].answer(answered, p.now)),
        (0.1, lambda p: p.phones["bob"].reject(refused, 486, p.now)),
        (0.1, lambda p: p.phones["alice"].cancel(cancelled, p.now)),
        (0.3, lambda p: p.phones["alice"].bye(answered, "caller", p.now)),
    ]


def test_calls_and_a_takeover_leave_nothing_unreachable(collector: None) -> None:
    pair = SipPair()
    play = Play(pair, {"alice": (b"alice", "192.0.2.1", 1.0), "bob": (b"bob", "192.0.2.2", 1.0)})
    gc.collect()  # what building decoders left
    for number in range(ROUNDS):
        play.run(calls(number), 0.5)
        pair.feed(b"garbage %d" % number, Hop("192.0.2.9", 5060), play.now)
        if number == ROUNDS // 2:
            pair.switch_over(play.now)
    play.run([], 700.0)
    core = pair.b.core
    assert (core.dialog_count, core.transaction_count, core.deadline is None) == (0, 0, False)
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    assert Counter(getattr(found, "__qualname__", type(found).__name__) for found in gc.garbage) == {}
