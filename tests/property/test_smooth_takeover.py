"""What is overdue at a takeover is spread over seconds, whatever its times were; a standby ends nothing."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.bus import Event
from sipcore.dialog.dialog import CONFIRMED, Dialog, Leg, dialog_key
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.dialog.store import SPREAD
from sipcore.location.binding import Binding
from sipcore.location.table import REARM_STEP, SHARDS
from sipcore.role import Role
from tests.kit.replication import Node
from tests.kit.sip_dialog import Desk

CALLS = 400
MANY = 0.45  # of all in one of five seconds: an even spread has 0.2
seconds = st.floats(-3600.0, 0.0)


def calls(ages: list[float], **more: float) -> list[Dialog]:
    found = []
    for number in range(CALLS):
        call_id = b"call-%d" % number
        dialog = Dialog(
            dialog_key(call_id, b"a"), b"a", 0.0, more.get("expires", 0.0) + ages[number % len(ages)]
        )
        dialog.from_uri, dialog.to_uri = b"sip:alice@example.test", b"sip:bob@example.test"
        dialog.contact = b"sip:alice@192.0.2.1"
        dialog.state = CONFIRMED
        leg = Leg(b"b", CONFIRMED)
        leg.contact = b"sip:bob@192.0.2.2"
        dialog.legs = (leg,)
        if "session" in more:
            dialog.extra().session_at = more["session"] + ages[number % len(ages)]
        found.append(dialog)
    return found


def taken_over(desk: Desk, dialogs: list[Dialog], run: float, method: bytes) -> Counter[int]:
    """How many requests leave in each second after the takeover, for each side of a call one."""
    for dialog in dialogs:
        desk.table.adopt(dialog, desk.now)
    begin = desk.now
    sent: Counter[int] = Counter()
    while desk.now < begin + run:
        desk.run(0.25)
        for item in desk.mail.take():
            if item.request.method == method:
                sent[int(desk.now - begin)] += 1
                item.answer(200, desk.now)
    return sent


@settings(max_examples=10, deadline=None)
@given(st.lists(seconds, min_size=1, max_size=20), st.floats(10.0, 1e5))
def test_calls_whose_lifetime_or_session_is_over_end_spread_over_seconds(
    ages: list[float], now: float
) -> None:
    for dialogs in (calls(ages, expires=now), calls(ages, expires=now + 1e6, session=now)):
        desk = Desk(DialogSettings(session_bye=True), now=now)
        byes = taken_over(desk, dialogs, SPREAD + 3.0, b"BYE")
        assert byes.total() == 2 * CALLS
        assert max(byes) <= SPREAD + 1
        assert max(byes.values()) <= MANY * byes.total()


@settings(max_examples=10, deadline=None)
@given(st.floats(0.0, 1e5), st.integers(5, 60))
def test_pings_that_are_due_are_spread_over_their_interval(now: float, interval: int) -> None:
    both = Side.CALLER | Side.CALLEE
    desk = Desk(DialogSettings(pings=both, ping_interval=float(interval)), now=now)
    pings = taken_over(desk, calls([0.0], expires=now + 1e6), interval + 2.0, b"OPTIONS")
    assert max(pings.values()) <= max(2.25, MANY * 5.0) * 2 * CALLS / interval + 20


@settings(max_examples=10, deadline=None)
@given(st.lists(seconds, min_size=1, max_size=20), st.floats(4000.0, 1e5))
def test_a_standby_lets_no_contact_expire_and_the_new_master_does_it_little_by_little(
    ages: list[float], now: float
) -> None:
    node = Node("b", skew=now - 4000.0)
    ended: list[float] = []
    clock = [now]
    node.bus.subscribe(Event.E_UL_CONTACT_DELETE, lambda _aor, _binding: ended.append(clock[0]))
    for number in range(CALLS):
        aor, uri = b"sip:%d@example.test" % number, b"sip:%d@192.0.2.1" % number
        at = now + ages[number % len(ages)]
        node.table.merge(aor, [Binding(uri, call_id=b"c", cseq=1, expires_at=at)], at - 60.0)
    node.wheel.advance(now)
    assert (node.table.contacts, ended) == (CALLS, [])
    node.gate.change(Role.MASTER, 2)
    node.table.on_role(Role.MASTER, now)
    while clock[0] < now + SHARDS * REARM_STEP + 2.0:
        clock[0] += 0.05
        node.wheel.advance(clock[0])
    assert (node.table.contacts, len(ended)) == (0, CALLS)
    assert max(Counter(ended).values()) <= CALLS / 10
    assert ended[-1] - ended[0] > 1.5
