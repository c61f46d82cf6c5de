"""The doctor's judgement of facts that no test can make for real, and what it reads of others' packets."""

from dataclasses import replace

import pytest

from haagent.config import load
from haagent.doctor.facts import AgentFacts, Facts, HostFacts, LinkFacts, PeerFacts, VipFacts
from haagent.doctor.heard import HeardAdvertisement, read, sources
from haagent.doctor.judge_host import host_verdicts
from haagent.doctor.judge_lan import lan_verdicts
from haagent.doctor.pair import pair_verdicts
from haagent.doctor.rules import suspects
from haagent.doctor.verdict import Level, Verdict, worst
from haagent.effects import NodeRole
from haagent.peer.messages import Hello
from tests.unit.haagent.test_config import GOOD

CONFIG = load(GOOD)
MASTER = HeardAdvertisement("02:00:00:00:00:01", "10.88.0.12", 255, 3, 51, 253, 0.1, ("10.88.0.100",))


def of(verdicts: list[Verdict], check: str) -> list[tuple[Level, str]]:
    return [(verdict.level, verdict.seen) for verdict in verdicts if verdict.check == check]


def healthy(**changes: object) -> Facts:
    host = HostFacts(clock_synchronised=True)
    for name, value in changes.items():
        setattr(host, name, value)
    return Facts(host)


def test_a_clock_that_steps_or_is_not_synchronised_is_a_warning() -> None:
    def said(facts: Facts) -> list[tuple[Level, str]]:
        return of(list(host_verdicts(CONFIG, facts)), "clock")

    assert said(healthy()) == [(Level.OK, "synchronised, and steady while listening")]
    assert said(healthy(clock_jump=-1.5)) == [(Level.WARN, "the wall clock stepped by -1500 ms")]
    assert said(healthy(clock_synchronised=False))[0][0] is Level.WARN
    assert said(healthy(clock_synchronised=None))[0][0] is Level.WARN


def test_each_finding_that_is_not_good_says_what_to_do() -> None:
    facts = healthy(
        misfit="no", missing_capabilities=("CAP_NET_RAW", "CAP_SYS_NICE"), fifo=False, mlock=False
    )
    facts.links = (LinkFacts("eth0", mtu=1280, multicast=False, carrier=False, probe="lost"),)
    found = [*host_verdicts(CONFIG, facts), *lan_verdicts(CONFIG, facts)]
    assert worst(found) is Level.FAIL
    assert [verdict for verdict in found if verdict.level is not Level.OK and not verdict.do] == []


@pytest.mark.parametrize(
    ("vip", "heard", "level"),
    [
        (VipFacts("10.88.0.100", "eth0"), [], Level.OK),
        (VipFacts("10.88.0.100", "eth0", macs=("02:00:00:00:00:01",)), [MASTER], Level.OK),
        (VipFacts("10.88.0.100", "eth0", macs=("02:00:00:00:00:09",)), [MASTER], Level.FAIL),
        (VipFacts("10.88.0.100", "eth0", macs=("02:00:00:00:00:09",)), [], Level.FAIL),
        (VipFacts("10.88.0.100", "eth0", "ours", ("02:00:00:00:00:09",)), [], Level.FAIL),
        (VipFacts("10.88.0.100", "eth0", "ours"), [], Level.OK),
        (VipFacts("10.88.0.100", "eth0", "foreign"), [], Level.FAIL),
    ],
)
def test_a_vip_belongs_to_this_node_to_the_master_or_to_nobody(
    vip: VipFacts, heard: list[HeardAdvertisement], level: Level
) -> None:
    facts = healthy()
    facts.links, facts.vips = (LinkFacts("eth0", heard=heard, passed=1),), (vip,)
    assert [found for found, _ in of(list(lan_verdicts(CONFIG, facts)), "vip")] == [level]


def test_the_peers_own_addresses_tell_it_from_a_stranger() -> None:
    facts = healthy()
    facts.agent = AgentFacts("BACKUP")
    facts.peer = PeerFacts(node="b", role="MASTER", addresses=("10.88.0.12",))
    facts.links = (LinkFacts("eth0", heard=[MASTER], passed=1),)
    assert of(list(lan_verdicts(CONFIG, facts)), "vrid")[0][0] is Level.OK
    facts.peer.addresses = ("10.88.0.99",)
    found = of(list(lan_verdicts(CONFIG, facts)), "vrid")
    assert found == [(Level.FAIL, "VRID 51 on eth0 is advertised by 10.88.0.12, which is not the peer")]


VIRTUAL = "00:00:5e:00:01:33"


@pytest.mark.parametrize(
    ("configured", "answered", "level"),
    [
        (VIRTUAL, VIRTUAL, Level.OK),
        (VIRTUAL, MASTER.mac, Level.WARN),
        ("", VIRTUAL, Level.WARN),
        (VIRTUAL, "02:00:00:00:00:09", Level.FAIL),
    ],
)
def test_a_vip_is_answered_for_by_the_mac_that_it_has_by_configuration(
    configured: str, answered: str, level: Level
) -> None:
    sender = MASTER if configured else replace(MASTER, mac=VIRTUAL)
    facts = healthy()
    facts.links = (LinkFacts("eth0", mac="02:00:00:00:00:02", heard=[sender]),)
    facts.vips = (VipFacts("10.88.0.100", "eth0", macs=(answered,), virtual_mac=configured),)
    assert [found for found, _ in of(list(lan_verdicts(CONFIG, facts)), "vip")] == [level]


def test_what_would_stop_a_virtual_mac_is_named() -> None:
    config = load(GOOD.replace("vrid = 51", 'vrid = 51\nvirtual_mac = "on"'))
    facts = healthy(
        virtual_macs={
            "vrrp.51": (VIRTUAL, "eth0"),
            "vrrp.1": (VIRTUAL, "eth1"),
            "vrrp.52": ("00:00:5e:00:01:34", "eth0"),
        },
        sysctls={"net/ipv4/conf/all/arp_ignore": "2"},
        macvlan=False,
    )
    found = of(list(host_verdicts(config, facts)), "virtual-mac")
    assert [level for level, _ in found] == [Level.FAIL, Level.FAIL, Level.WARN]
    assert found[0][1] == f"vrrp.51 has the virtual MAC of sip ({VIRTUAL}) already"
    assert of(list(host_verdicts(CONFIG, facts)), "virtual-mac") == []


def test_the_files_of_a_pair_must_agree_and_mirror_each_other() -> None:
    theirs = (
        GOOD.replace('node = "a"', 'node = "b"')
        .replace("254", "253")
        .replace("10.89.0.11", "x")
        .replace("10.89.0.12", "10.89.0.11")
        .replace('"x"', '"10.89.0.12"')
    )
    assert [verdict.level for verdict in pair_verdicts(CONFIG, load(theirs))] == [Level.OK]
    assert [verdict.level for verdict in pair_verdicts(CONFIG, CONFIG)] == [
        Level.FAIL,
        Level.WARN,
        Level.FAIL,
    ]
    seen = [v.seen for v in pair_verdicts(CONFIG, load(theirs.replace('"100ms"', '"1s"')))]
    assert seen == ["sip.advert_interval: 0.1 here, 1.0 there"]
    seen = [v.seen for v in pair_verdicts(CONFIG, load(theirs.replace('"sip"', '"pbx"')))]
    assert seen == [
        "virtual_router 'sip' is not in the other file",
        "virtual_router 'pbx' is only in the other file",
    ]


def test_our_own_rules_are_no_suspects() -> None:
    nft = """table inet haagent_guard {
\tchain output {
\t\ttype filter hook output priority -300; policy accept;
\t\tip saddr @v4 multicast drop
\t}
}
table inet filter {
\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established accept
\t\tip daddr 224.0.0.18 drop
\t}
}
"""
    found = suspects(nft, ["*filter\n:INPUT DROP [0:0]\n-A INPUT -p vrrp -j REJECT\nCOMMIT\n", ""])
    assert found == (
        "nft inet filter input: policy drop",
        "nft inet filter input: ip daddr 224.0.0.18 drop",
        "iptables: policy of INPUT is DROP",
        "iptables: -A INPUT -p vrrp -j REJECT",
    )


def test_a_frame_that_is_cut_off_anywhere_is_no_advertisement() -> None:
    ip = bytes.fromhex(
        "45c000200000000 0ff700000 0a580c0c e0000012".replace(" ", "").replace("0a580c0c", "0a58000c")
    )
    frame = bytes(12) + b"\x08\x00" + ip + bytes.fromhex("3133fd01000a00000a580064")
    heard = read(frame)
    assert heard is not None
    assert (heard.vrid, heard.priority, heard.interval, heard.addresses) == (51, 253, 0.1, ("10.88.0.100",))
    assert [read(frame[:end]) for end in range(len(frame))] == [None] * len(frame)


def test_the_peer_names_its_sources_of_both_families() -> None:
    packed = bytes.fromhex("fe80") + bytes(13) + b"\x01"
    hello = Hello("b", (0x0A58000C,), NodeRole.BACKUP, 1, 253, True, True, addresses6=(packed,))
    assert sources(hello) == ("10.88.0.12", "fe80::1")
