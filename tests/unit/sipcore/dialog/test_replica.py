"""Dialog records: what the standby holds, which version wins, what the new master makes of it."""

from math import inf

import msgspec
import pytest

from sipcore.dialog.dialog import Dialog, EndReason, Leg, More, State
from sipcore.dialog.settings import Side
from sipcore.dialog.wire import WireDialog, from_wire, to_wire
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import request
from tests.kit.sip_pair import Node
from tests.kit.sip_proxy import VIA, Bench, of

KEY = b"call-1@127.0.0.1 alice-1"
TO_BOB = b"<sip:bob@example.test>;tag=bob-1"


@pytest.fixture
def bench() -> Bench:
    """A master with an answered call at time 0."""
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    (branch,) = of(b"INVITE", bench.invite())
    bench.answer(branch, 200, b"bob-1")
    return bench


@pytest.fixture
def standby() -> Node:
    return Node("b")


def packed(bench: Bench) -> bytes:
    payload = bench.node.core.capabilities[0].pack(KEY, bench.now)
    assert payload is not None
    return payload


def test_the_new_master_leads_what_the_standby_held(bench: Bench, standby: Node) -> None:
    replica = standby.core.capabilities[0]
    assert replica.apply(KEY, packed(bench), 1, 10.0)
    assert (standby.core.dialog_count, len(standby.dialogs), standby.wheel.pending) == (1, 0, 0)
    standby.core.on_role(Role.MASTER, 2, 70.0)
    dialog = standby.dialogs.dialogs[KEY]
    assert dialog.state is State.CONFIRMED_NA
    assert dialog.legs[0].contact == b"sip:bob@192.0.2.2:5060"
    assert dialog.expires_at == pytest.approx(10.0 + 12 * 3600)
    assert dialog.started_at == pytest.approx(10.0)


def test_the_state_only_grows_in_a_newer_epoch_too(bench: Bench, standby: Node) -> None:
    replica = standby.core.capabilities[0]
    old = packed(bench)
    bench.say(request(b"ACK", b"sip:bob@192.0.2.2", via=VIA + b"a", to=TO_BOB))
    assert replica.apply(KEY, packed(bench), 1, 0.0)
    assert not replica.apply(KEY, old, 1, 0.0)
    assert not replica.apply(KEY, old, 2, 0.0)  # nor in a newer one: the call was answered


def test_a_delete_beats_an_update_of_an_older_epoch_that_comes_later(bench: Bench, standby: Node) -> None:
    replica = standby.core.capabilities[0]
    assert replica.apply(KEY, packed(bench), 1, 0.0)
    assert replica.delete(KEY, 2, 0.0)
    assert not replica.apply(KEY, packed(bench), 1, 0.0)
    assert replica.keys() == [KEY]
    assert replica.pack(KEY, 0.0) is None


def test_a_master_takes_in_a_call_that_only_the_peer_knows(bench: Bench, standby: Node) -> None:
    standby.core.on_role(Role.MASTER, 1, 0.0)
    assert standby.core.capabilities[0].apply(KEY, packed(bench), 1, 0.0)
    assert len(standby.dialogs) == 1


def test_a_demoted_master_holds_its_calls_and_leads_them_again(bench: Bench) -> None:
    bench.core.on_role(Role.BACKUP, 2, 5.0)
    assert (bench.core.dialog_count, len(bench.node.dialogs)) == (1, 0)
    assert bench.run(60.0) == []
    bench.core.on_role(Role.MASTER, 3, 100.0)
    assert bench.node.dialogs.dialogs[KEY].expires_at == pytest.approx(12 * 3600)


@pytest.mark.parametrize("payload", [b"", b"\x00", msgspec.msgpack.encode([1, 2, 3]), b"\xff" * 40])
def test_a_bad_record_is_refused_by_name(standby: Node, payload: bytes) -> None:
    for capability in standby.core.capabilities:
        with pytest.raises(msgspec.MsgspecError):
            capability.apply(KEY, payload, 1, 0.0)


def test_every_field_of_a_dialog_survives_the_wire() -> None:
    dialog = Dialog(b"call 1 a", b"a", 1.0, 50.0)
    leg = Leg(b"b", State.CONFIRMED)
    more = dialog.more = More()
    sample = {
        float: 20.0, bytes: b"x", int: 7, tuple: (b"<sip:r;lr>",), str: "y", Side: Side.CALLEE,
        dict: {"name": "text"}, State: State.CONFIRMED,
    }  # fmt: skip
    for thing in (dialog, leg, more):
        for name in thing.__slots__:
            value = getattr(thing, name)
            if type(value) in sample and name not in {"key", "from_tag", "due", "pinged", "misses", "told"}:
                setattr(thing, name, sample[type(value)])
    dialog.hop = leg.hop = Hop("203.0.113.5", 1024)
    dialog.legs = (leg,)
    more.profiles = (("caller", "alice"),)
    more.reason = EndReason.OPERATOR
    more.session_at, more.session_expires = 30.0, 90
    more.ping_at = inf  # begins anew

    wire = msgspec.msgpack.decode(msgspec.msgpack.encode(to_wire(dialog, 10.0)), type=WireDialog)
    again = from_wire(wire, 110.0)
    for mine, theirs in ((dialog, again), (leg, again.legs[0]), (more, again.more)):
        for name in mine.__slots__:
            if name in {"legs", "more", "due"}:
                continue
            value, other = getattr(mine, name), getattr(theirs, name)
            if name.endswith("_at") and value < inf:
                other -= 100.0
            assert other == value, name


def test_a_record_of_an_older_node_is_read(standby: Node) -> None:
    old = [b"c", b"a", 4, b"f", b"t", b"m", [], 1, [[b"b", 4, b"k", [], 1]], 5.0, 60.0]
    assert standby.core.capabilities[0].apply(b"c a", msgspec.msgpack.encode(old), 1, 0.0)
    standby.core.on_role(Role.MASTER, 2, 1.0)
    assert standby.dialogs.dialogs[b"c a"].expires_at == 60.0
