"""Dialog records: what the standby holds, which version wins, what the new master makes of it."""

import msgspec
import pytest

from sipcore.dialog.dialog import State
from sipcore.role import Role
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


def test_within_one_epoch_the_state_only_grows(bench: Bench, standby: Node) -> None:
    replica = standby.core.capabilities[0]
    old = packed(bench)
    bench.say(request(b"ACK", b"sip:bob@192.0.2.2", via=VIA + b"a", to=TO_BOB))
    assert replica.apply(KEY, packed(bench), 1, 0.0)
    assert not replica.apply(KEY, old, 1, 0.0)
    assert replica.apply(KEY, old, 2, 0.0)  # a newer epoch is always right


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
