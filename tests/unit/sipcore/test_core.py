"""The core as the shell uses it: roles, the datagrams of a BACKUP, what cannot be parsed."""

import pytest

from sipcore.errors import StaleEpochError
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import request
from tests.kit.sip_pair import SETTINGS, Node
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief

OPTIONS = request(b"OPTIONS", b"sip:example.test", via=VIA)


def test_a_backup_answers_nothing_until_it_is_master() -> None:
    node = Node("b")
    node.core.feed(OPTIONS, CALLER, 1.0)
    assert node.core.take() == []
    node.core.on_role(Role.MASTER, 1, 1.4)
    (send,) = node.core.take()
    assert send.data.startswith(b"SIP/2.0 200")


def test_what_waited_too_long_for_a_master_is_dropped_and_counted() -> None:
    node = Node("b")
    for number in range(300):
        node.core.feed(OPTIONS.replace(b"z9hG4bK-1", b"z9hG4bK-%d" % number), CALLER, 1.0)
    assert node.core.counters["aged_out"] == 44
    node.core.on_role(Role.MASTER, 1, 1.6)
    assert node.core.take() == []
    assert (node.core.counters["aged_out"], node.core.counters["received"]) == (300, 300)


def test_a_demoted_master_falls_silent() -> None:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    bench.invite()
    bench.core.on_role(Role.BACKUP, 2, 0.1)
    assert bench.run(60.0) == []


def test_an_older_epoch_is_refused() -> None:
    node = Node("a")
    node.core.on_role(Role.MASTER, 5, 0.0)
    with pytest.raises(StaleEpochError):
        node.core.on_role(Role.BACKUP, 4, 0.0)
    assert node.gate.is_master


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (OPTIONS.replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INFO"), ["400"]),
        (OPTIONS.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1), ["505"]),
        (OPTIONS.replace(b"OPTIONS", b"ACK").replace(b"CSeq: 1", b"CSeq: x"), []),
        (b"SIP/2.0 200\r\n\r\n", []),
        (b"\r\n\r\n", []),
        (b"\x00" * 100, []),
    ],
)
def test_what_cannot_be_parsed_is_counted_and_answered_if_it_can_be(data: bytes, answer: list[str]) -> None:
    bench = Bench()
    assert brief(bench.say(data)) == answer
    assert bench.core.counters["bad_datagrams"] == 1


def test_nothing_is_answered_to_an_impossible_address() -> None:
    bench = Bench()
    bench.core.feed(OPTIONS.replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INFO"), Hop("192.0.2.1", 0), 0.0)
    assert bench.sends() == []


def test_a_register_for_our_domain_goes_to_the_registrar_and_waits_for_the_standby() -> None:
    bench = Bench(SETTINGS)
    data = request(b"REGISTER", b"sip:example.test", via=VIA, headers=((b"Contact", b"<sip:bob@192.0.2.2>"),))
    bench.core.feed(data, CALLER, 0.0)
    (send,) = bench.sends()
    assert (send.data[:11], send.hold) == (b"SIP/2.0 200", True)
    assert bench.node.location.contacts == 1


def test_the_rows_for_an_operator_name_calls_and_transactions() -> None:
    bench = Bench()
    bench.register(b"bob", "192.0.2.2")
    bench.invite()
    assert [row["side"] for row in bench.core.transaction_rows()] == ["server", "client"]
    assert [row["state"] for row in bench.core.dialog_rows(0.0)] == ["UNCONFIRMED"]
