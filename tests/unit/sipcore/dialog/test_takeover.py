"""What a master does to calls by itself goes on when another node takes over; a standby does none of it."""

import pytest

from sipcore.dialog.dialog import CONFIRMED, Dialog, EndReason
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.message import parse
from tests.kit.sip_pair import Crash, Node, Play, SipPair

CAST = {"alice": (b"alice", "192.0.2.1", 1.0), "bob": (b"bob", "192.0.2.2", 1.0)}
BOTH = Side.CALLER | Side.CALLEE


def talking(**settings: object) -> Play:
    """Alice and bob talk since second 1; the clock is at 2."""
    pair = SipPair(dialog=DialogSettings(**settings))  # type: ignore[arg-type]
    play = Play(pair, CAST)
    play.run(
        [
            (0.5, lambda play: play.phones["alice"].call("1", b"alice", b"bob", play.now)),
            (1.0, lambda play: play.phones["bob"].answer("1", play.now)),
        ],
        until=2.0,
    )
    return play


def die(play: Play) -> None:
    play.pair.die(play.now)


def only(node: Node) -> Dialog:
    (dialog,) = node.dialogs.dialogs.values()
    return dialog


def events(play: Play, phone: str) -> list[str]:
    return [str(event["event"]) for event in play.phones[phone].events]


def sent(play: Play, method: bytes) -> list[str]:
    """To whom such requests went."""
    return [to for _, to, data in play.wire.seen if data.startswith(method + b" ")]


def test_both_phones_get_a_bye_and_answer_it() -> None:
    play = talking()
    node = play.pair.a
    assert node.core.keeper.end(only(node), EndReason.OPERATOR, play.now)
    play.pair.share(node, play.now)
    play.run([], until=1.0)
    assert sent(play, b"BYE") == ["192.0.2.1:5060", "192.0.2.2:5060"]
    assert [events(play, phone)[-1] for phone in CAST] == ["bye_received"] * 2
    assert (node.dialogs.dialogs, play.pair.b.core.dialog_count) == ({}, 0)
    assert node.dialogs.ends[EndReason.OPERATOR] == 1


def test_a_ringing_call_that_is_ended_stops_ringing_and_fails() -> None:
    pair = SipPair()
    play = Play(pair, CAST)
    play.run([(0.5, lambda play: play.phones["alice"].call("1", b"alice", b"bob", play.now))], until=1.0)
    assert pair.a.core.keeper.end(only(pair.a), EndReason.OPERATOR, play.now)
    pair.share(pair.a, play.now)
    play.run([], until=1.0)
    assert play.phones["alice"].events[-1]["status"] == 487
    assert events(play, "bob")[-1] == "cancelled"
    assert pair.a.dialogs.dialogs == {}


def test_the_lifetime_goes_on_at_the_new_master() -> None:
    play = talking(lifetime=60.0)
    play.run([(10.0, die)], until=58.5)
    assert play.pair.master is play.pair.b
    assert sent(play, b"BYE") == []
    play.run([], until=2.5)
    assert sent(play, b"BYE") == ["192.0.2.1:5060", "192.0.2.2:5060"]
    assert [events(play, phone)[-1] for phone in CAST] == ["bye_received"] * 2


def test_calls_whose_time_ended_during_the_takeover_end_soon_after() -> None:
    play = talking(lifetime=10.0)
    play.pair.gap = 20.0
    play.run([(5.0, die)], until=24.0)
    assert sent(play, b"BYE") == []
    play.run([], until=7.5)
    assert len(sent(play, b"BYE")) == 2


@pytest.mark.parametrize("crash", [Crash.MUTE, Crash.SILENT, Crash.COMPLETE, Crash.FORGETFUL])
def test_a_master_that_dies_while_it_ends_a_call_leaves_the_byes_to_the_other(crash: Crash) -> None:
    play = talking(lifetime=10.0)
    play.pair.crash_at, play.pair.crash = play.pair.steps, crash
    play.run([], until=20.0)
    assert play.pair.master is play.pair.b
    assert [events(play, phone).count("bye_received") for phone in CAST] == [1, 1]
    assert play.pair.b.dialogs.dialogs == {}
    byes = [parse(data) for _, _, data in play.wire.seen if data.startswith(b"BYE ")]
    assert {bye.first(b"reason") for bye in byes} == {b'SIP;cause=408;text="lifetime of the call is over"'}


def test_pings_go_on_at_the_new_master_and_the_standby_sends_none() -> None:
    play = talking(pings=BOTH, ping_interval=10.0)
    play.run([], until=35.0)
    before = len(sent(play, b"OPTIONS"))
    assert before == 6
    play.run([(0.1, die)], until=25.0)
    assert 4 <= len(sent(play, b"OPTIONS")) - before <= 6
    assert only(play.pair.b).state is CONFIRMED


def test_a_phone_that_died_ends_the_call_for_the_other_one() -> None:
    play = talking(pings=BOTH, ping_interval=10.0)
    play.wire.lost = lambda data, to: to.host == "192.0.2.2"
    play.run([], until=60.0)
    assert events(play, "alice")[-1] == "bye_received"
    assert play.pair.a.dialogs.ends[EndReason.PING_FAILED] == 1


def test_a_session_timer_goes_on_at_the_new_master() -> None:
    play = talking(session_bye=True)
    dialog = only(play.pair.a)
    more = dialog.extra()
    more.session_expires, more.session_at = 90, play.now + 90
    play.pair.a.dialogs.touch(dialog)
    play.pair.share(play.pair.a, play.now)
    play.run([(10.0, die)], until=88.0)
    assert sent(play, b"BYE") == []
    play.run([], until=4.0)
    assert len(sent(play, b"BYE")) == 2
    assert play.pair.b.dialogs.ends[EndReason.SESSION_EXPIRED] == 1


def test_profiles_values_and_a_lifetime_of_its_own_come_with_the_call() -> None:
    play = talking(profiles=("caller",))
    table, dialog = play.pair.a.dialogs, only(play.pair.a)
    table.enter_profile(dialog, "caller", "alice")
    table.store_value(dialog, "trunk", "eins")
    table.set_lifetime(dialog, 1000.0, play.now)
    play.pair.share(play.pair.a, play.now)
    assert play.pair.b.core.profile_sizes() == {"caller": {"alice": 1}}
    assert play.pair.b.dialogs.profiles.size("caller") == 0  # a standby leads nothing
    play.run([(0.1, die)], until=1.0)
    taken = only(play.pair.b)
    assert play.pair.b.dialogs.profiles.size("caller", "alice") == 1
    assert taken.value("trunk") == "eins"
    assert taken.expires_at == pytest.approx(1002.0)


def test_what_a_script_put_into_a_call_before_it_rang_survives() -> None:
    pair = SipPair(dialog=DialogSettings(profiles=("caller",)))
    play = Play(pair, CAST)
    play.wire.lost = lambda data, to: to.host == "192.0.2.2"  # bob does not hear of it
    play.run([(0.5, lambda play: play.phones["alice"].call("1", b"alice", b"bob", play.now))], until=1.0)
    pair.a.dialogs.enter_profile(only(pair.a), "caller", "alice")
    pair.share(pair.a, play.now)
    play.wire.lost = lambda data, to: False
    play.run([(0.1, die)], until=1.0)
    assert pair.b.dialogs.profiles.size("caller", "alice") == 1
    play.run([(0.1, lambda play: play.phones["bob"].reject("1", 486, play.now))], until=1.0)
    assert pair.b.dialogs.profiles.size("caller", "alice") == 0


def test_the_pings_leave_the_cseq_of_the_phones_alone() -> None:
    play = talking(pings=BOTH, ping_interval=10.0)
    play.run([(25.0, lambda play: play.phones["bob"].bye("1", "callee", play.now))], until=30.0)
    pings = [parse(data) for _, _, data in play.wire.seen if data.startswith(b"OPTIONS ")]
    assert {ping.cseq for ping in pings} == {0, 1}
    assert len({ping.top_via.branch for ping in pings}) == len(pings) == 4  # none is a retransmission
    assert events(play, "bob")[-1] == "bye_answered"
    assert play.phones["bob"].events[-1]["status"] == 200
