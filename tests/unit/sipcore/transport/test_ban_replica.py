"""Sans-IO: bans and blocks of two cores that real replication sessions join."""

from ipaddress import ip_network

import msgspec
import pytest

from sipcore.errors import SipcoreError
from sipcore.replication.journal import Journal
from sipcore.role import RoleGate
from sipcore.transport.admission import Admission
from sipcore.transport.ban_replica import BanReplica, WireBan
from sipcore.transport.bans import BanList
from sipcore.transport.layer import Hop
from sipcore.transport.nft import ruleset
from sipcore.transport.pike import PikeSettings
from sipcore.transport.source import AllowList
from tests.kit.sip_channel import Channel
from tests.kit.sip_pair import Node, SipPair

ATTACKER = "198.51.100.9"


def wire(remaining: float, *, epoch: int = 0, change: int = 1, lifted: bool = False) -> bytes:
    return msgspec.msgpack.encode(WireBan(remaining, "x", epoch, change, lifted))


def replica(*networks: str, max_bans: int = 10) -> tuple[BanReplica, Admission]:
    allow = AllowList([ip_network(text) for text in networks])
    admission = Admission(allow, BanList(allow, max_bans), PikeSettings(max_sources=10))
    return BanReplica(admission, Journal(RoleGate("n"))), admission


def flood(node: Node, now: float, count: int = 40) -> int:
    return len(node.admission.admit([(b"x", Hop(ATTACKER, 5060))] * count, now))


def test_who_was_banned_stays_banned_after_a_takeover_and_the_packet_rules_have_him() -> None:
    pair = SipPair()
    pair.a.admission.bans.add(ATTACKER, 600.0, "scans", 1.0)
    pair.share(pair.a, 1.0)
    pair.die(2.0)
    pair.on_timer(3.0)
    assert pair.master is pair.b
    assert flood(pair.b, 3.0, 1) == 0
    assert not pair.b.admission.admits_stream(ATTACKER, 600.0)
    assert [(ban.reason, round(ban.until)) for ban in pair.b.admission.bans] == [("scans", 601)]
    assert f"{ATTACKER} timeout 598s" in ruleset(pair.b.admission.bans, [("udp", 5060)], 3.0)
    assert flood(pair.b, 602.0, 1) == 1


def test_an_operator_lifts_a_ban_of_the_master_on_either_node() -> None:
    pair = SipPair()
    for lifter in (pair.a, pair.b):
        pair.a.admission.bans.add(ATTACKER, 600.0, "scans", 1.0)
        pair.share(pair.a, 1.0)
        assert len(pair.b.admission.bans) == 1
        exported = pair.a.admission.bans.changed, pair.b.admission.bans.changed
        assert lifter.admission.bans.remove(ATTACKER)
        pair.share(lifter, 2.0)
        assert len(pair.a.admission.bans) == len(pair.b.admission.bans) == 0
        assert (pair.a.admission.bans.changed, pair.b.admission.bans.changed) == (
            exported[0] + 1,
            exported[1] + 1,
        )


def test_a_node_that_missed_the_lifting_does_not_bring_the_ban_back() -> None:
    a, b = Node("a"), Node("b")
    Channel(a.journal, b.journal, 0.0)
    a.admission.bans.add(ATTACKER, 600.0, "scans", 0.0)
    a.flush(0.0)
    Channel(a.journal, b.journal, 1.0)
    assert len(b.admission.bans) == 1
    a.admission.bans.remove(ATTACKER)  # nobody is connected
    a.flush(2.0)
    Channel(a.journal, b.journal, 500.0)  # both bring all they have
    assert len(a.admission.bans) == len(b.admission.bans) == 0
    a.admission.bans.expire(601.0)
    assert a.admission.bans.sources() == []


def test_of_two_masters_the_one_with_the_higher_epoch_is_right_about_a_source() -> None:
    own, admission = replica()
    assert own.apply(b"ban:192.0.2.1", wire(100.0, epoch=3, change=7, lifted=True), 3, 0.0)
    assert own.apply(b"ban:192.0.2.1", wire(50.0, epoch=4, change=1), 4, 0.0)
    assert not own.apply(b"ban:192.0.2.1", wire(900.0, epoch=3, change=9), 4, 0.0)
    assert [ban.until for ban in admission.bans] == [50.0]


def test_a_new_ban_of_a_source_whose_old_one_has_ended_is_taken_by_a_standby_that_has_not_looked() -> None:
    pair = SipPair()
    bans = pair.a.admission.bans
    for _ in range(3):
        bans.add(ATTACKER, 10.0, "scans", 1.0)
    pair.share(pair.a, 1.0)
    assert not bans.drops(ATTACKER, 12.0)
    bans.add(ATTACKER, 10.0, "again", 13.0)
    pair.share(pair.a, 13.0)
    assert [(ban.reason, ban.until) for ban in pair.b.admission.bans] == [("again", 23.0)]


def test_the_same_ban_that_comes_again_with_another_delay_changes_nothing() -> None:
    own, admission = replica()
    assert own.apply(b"ban:192.0.2.1", wire(100.0), 1, 0.0)
    changed = admission.bans.changed
    assert not own.apply(b"ban:192.0.2.1", wire(99.5), 1, 0.6)
    assert admission.bans.changed == changed


def test_the_allow_list_and_the_limit_of_a_node_hold_for_bans_of_its_peer() -> None:
    own, admission = replica("192.0.2.0/24", max_bans=1)
    assert not own.apply(b"ban:192.0.2.1", wire(100.0), 1, 0.0)
    assert not own.apply(b"udp:192.0.2.1", wire(100.0), 1, 0.0)
    assert own.apply(b"ban:198.51.100.1", wire(100.0), 1, 0.0)
    assert not own.apply(b"ban:198.51.100.2", wire(100.0), 1, 0.0)
    assert [ban.source for ban in admission.bans] == ["198.51.100.1"]
    assert admission.bans.refused == 2
    for number in range(20):
        own.apply(b"ban:203.0.113.%d" % number, wire(100.0, lifted=True), 1, 0.0)
        own.apply(b"stream:203.0.113.%d" % number, wire(100.0), 1, 0.0)
    assert len(own.keys()) == 1 + 1 + 10
    assert admission.stream is not None
    assert len(admission.stream) == 10


def test_who_floods_is_blocked_by_the_new_master_and_one_record_per_unit_says_so() -> None:
    pair = SipPair()
    before = pair.a.journal.sequence
    for step in range(10):
        flood(pair.a, 1.0 + step / 10)
        pair.share(pair.a, 1.0 + step / 10)
    assert pair.a.journal.sequence == before + 1
    flood(pair.a, 60.0)
    pair.share(pair.a, 60.0)
    assert flood(pair.b, 150.0, 1) == 0  # 120 s after the last hot unit, and not after the first
    assert flood(pair.b, 181.0, 1) == 1


def test_a_block_that_is_lifted_is_lifted_on_both_nodes() -> None:
    pair = SipPair()
    flood(pair.a, 1.0)
    pair.share(pair.a, 1.0)
    assert pair.b.admission.udp is not None
    assert len(pair.b.admission.udp) == 1
    assert pair.a.admission.unblock(ATTACKER)
    pair.share(pair.a, 2.0)
    assert len(pair.b.admission.udp) == 0


def test_a_node_without_pike_takes_bans_and_no_blocks() -> None:
    allow = AllowList(())
    admission = Admission(allow, BanList(allow))
    own = BanReplica(admission, Journal(RoleGate("n")))
    assert not own.apply(b"udp:192.0.2.1", wire(9.0), 1, 0.0)
    assert own.apply(b"ban:2001:db8::/64", wire(9.0), 1, 0.0)
    assert own.keys() == [b"ban:2001:db8::/64"]
    assert own.pack(b"ban:2001:db8::/64", 9.0) is None


@pytest.mark.parametrize("key", [b"", b"ban:", b"ban:x", b"ban:2001:db8::1", b"tls:192.0.2.1", b"\xff:1"])
def test_a_key_that_names_no_source_is_refused(key: bytes) -> None:
    own, _ = replica()
    with pytest.raises((SipcoreError, ValueError)):
        own.apply(key, wire(9.0), 1, 0.0)


@pytest.mark.parametrize("payload", [b"", b"\xc0", msgspec.msgpack.encode([1e99]), wire(1.0, change=-1)])
def test_a_record_that_is_none_is_refused(payload: bytes) -> None:
    own, _ = replica()
    with pytest.raises(msgspec.MsgspecError):
        own.apply(b"ban:192.0.2.1", payload, 1, 0.0)
