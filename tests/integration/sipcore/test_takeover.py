"""Two SIP cores behind one virtual IP in the laboratory's LAN: calls and registrations outlive their master.

The virtual IP is moved by hand here; what haagent does about it is tested elsewhere.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, Lan, address
from tests.kit.core_pair import PORT, Pair
from tests.kit.sip_live import LivePhones, wait_for

pytestmark = pytest.mark.root


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan, Pair(lan, tmp_path) as running:
        yield running


def test_calls_in_every_state_outlive_a_power_cut(pair: Pair) -> None:
    phones = pair.phones
    pair.up("up-1")
    pair.up("up-2")
    for name in ("answer", "cancel", "reject"):
        phones.call(name, "alice", "bob")
    pair.power_cut()

    for name, side in (("up-1", "caller"), ("up-2", "callee")):
        phones.phone.bye(name, side, time.monotonic())
        assert phones.until("bye_answered", call=name)["status"] == 200
        phones.until("bye_received", call=name)
    phones.phone.answer("answer", time.monotonic())
    phones.until("answered", call="answer")
    phones.until("established", call="answer")
    phones.phone.cancel("cancel", time.monotonic())
    assert phones.until("cancel_answered", call="cancel")["status"] == 200
    phones.until("cancelled", call="cancel")
    assert phones.until("failed", call="cancel")["status"] == 487
    phones.phone.reject("reject", 486, time.monotonic())
    assert phones.until("failed", call="reject")["status"] == 486
    phones.phone.bye("answer", "caller", time.monotonic())
    assert phones.until("bye_answered", call="answer")["status"] == 200
    phones.until("bye_received", call="answer")

    pair.up("new")  # found by the registrations that the dead master took
    assert [event for event in phones.past if event["event"] == "duplicate_invite"] == []
    assert (pair.b.counters()["failures"], pair.b.status()["dialogs"]) == (0, 1)


def test_a_phone_over_tcp_hears_of_the_takeover_at_once_and_connects_anew(tmp_path: Path) -> None:
    more = f'[[listen]]\naddress = "{VIP}"\nport = {PORT}\ntransport = "tcp"\n'
    with Lan() as lan, Pair(lan, tmp_path, more) as pair:
        with lan.hosts["client"].entered():
            carol = LivePhones((VIP, PORT), "carol", local=address("client"), transport="tcp")
        with carol:
            carol.register("carol")
            wait_for(lambda: pair.b.status()["contacts"] == 3, "the standby knows it", pair.b.log)
            carol.phone.call("waits", b"carol", b"bob", time.monotonic())
            carol.wire.flush()
            pair.phones.until("ringing", call="waits")
            carol.until("progress", call="waits")  # the new master has something to send to her at once
            pair.ip("a", "link", "set", "eth0", "down")  # so that the dying kernel cannot say good-bye
            pair.power_cut()
            started = time.monotonic()
            wait_for(lambda: not carol.idle(0.05) and carol.wire.socket.fileno() == -1, "it hears of it")
            assert time.monotonic() - started < 2.0
            with lan.hosts["client"].entered():
                carol.register("carol")
            pair.phones.phone.call("t", b"alice", b"carol", time.monotonic())
            pair.phones.wire.flush()
            carol.until("ringing", call="t")
        assert pair.b.counters()["resets_sent"] == 1


def test_an_invite_that_the_master_took_to_its_grave_is_taken_by_the_new_one(pair: Pair) -> None:
    pair.a.kill()
    pair.phones.phone.call("lost", b"alice", b"bob", time.monotonic())
    pair.phones.wire.flush()
    pair.move_vip()
    pair.b.role("MASTER", 2)
    assert pair.phones.until("ringing")["id"] == "lost"  # by the retransmission after T1
    pair.phones.until("progress")


def test_a_planned_switchover_loses_no_packet_and_the_old_master_steps_down(pair: Pair) -> None:
    pair.up("call")
    pair.phones.call("ringing", "alice", "bob")
    pair.b.role("MASTER", 2)  # make before break
    pair.move_vip()
    wait_for(lambda: pair.a.status()["role"] == "BACKUP", "a steps down", pair.a.log)
    assert pair.a.status()["epoch"] == 2
    pair.phones.phone.answer("ringing", time.monotonic())
    pair.phones.until("answered", call="ringing")
    pair.phones.phone.bye("call", "callee", time.monotonic())
    assert pair.phones.until("bye_answered", call="call")["status"] == 200


def test_the_old_master_comes_back_as_a_standby_in_sync(pair: Pair) -> None:
    pair.up("call")
    pair.power_cut()
    pair.phones.register("alice")
    pair.a.start()
    wait_for(lambda: pair.a.status()["synced"] and not pair.a.status()["alone"], "a is in sync", pair.a.log)
    status = pair.a.status()
    assert (status["role"], status["contacts"], status["dialogs"]) == ("BACKUP", 2, 1)


def test_a_frozen_standby_delays_answers_by_the_budget_and_no_more(pair: Pair) -> None:
    assert pair.b.process is not None
    pair.b.process.send_signal(signal.SIGSTOP)
    try:
        pair.phones.phone.register(b"alice", 60, time.monotonic())
        event = pair.phones.until("registered")
        assert 180 < float(str(event["ms"])) < 400  # the budget of the config is 200 ms
        assert pair.a.client.get("/v1/replication")["semi_sync"]["released"] >= 1
    finally:
        pair.b.process.send_signal(signal.SIGCONT)
