"""The virtual MAC beside keepalived's use_vmac, with advertisements from it and from the interface's own."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from signal import Signals

import pytest

from haagent.lab.sight import Sort
from haagent.lab.topology import VIP, VIP6, Lan
from haagent.lab.watch import Watch
from tests.kit.agent import Agent
from tests.kit.capture import Capture
from tests.kit.keepalived import Keepalived

pytestmark = pytest.mark.interop

INTERVAL = 0.1
MAC, MAC6, OWN = "00:00:5e:00:01:33", "00:00:5e:00:02:33", "02:88:00:00:00:0b"
FORMS = {"on": ("use_vmac", MAC), "vips": ("use_vmac\n vmac_xmit_base", OWN)}
COMPLAINTS = ("nvalid", "mismatch", "ip number count", "too long")


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


def who_answers(lan: Lan) -> set[str]:
    """Whose MAC answers ARP for the VIP, and that it answers pings."""
    with Watch(lan.hosts["client"]) as watch:
        watch.wait_answer(Sort.ICMP)
        now = time.monotonic()
        time.sleep(0.4)
        return watch.sight.who(Sort.ARP, now, now + 0.4)


@pytest.mark.parametrize("form", FORMS)
def test_the_mac_of_the_vip_stays_when_ours_takes_over_from_keepalived_and_gives_back(
    lan: Lan, tmp_path: Path, form: str
) -> None:
    theirs, sender = FORMS[form]
    extra = f'virtual_mac = "{form}"'
    with (
        Capture(lan.hosts["client"], only="vrrp or arp") as capture,
        Agent(lan.hosts["b"], tmp_path, priority=100, interval=INTERVAL, extra=extra) as ours,
    ):
        with Keepalived(lan.hosts["a"], priority=200, interval=INTERVAL, options=theirs) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=10)
            ours.wait_for("BACKUP", timeout=5)
            assert who_answers(lan) == {MAC.replace(":", "")}
            peer.signal(Signals.SIGKILL)
            ours.wait_for("MASTER", timeout=5)
        # a killed keepalived leaves its MAC and the address behind: both would answer for ever
        assert lan.hosts["a"].spawn(["ip", "link", "del", "vrrp.51"]).wait(5) == 0
        assert who_answers(lan) == {MAC.replace(":", "")}
        with Keepalived(lan.hosts["a"], priority=200, interval=INTERVAL, options=theirs) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=10)
            ours.wait_for("BACKUP", timeout=3)
            assert who_answers(lan) == {MAC.replace(":", "")}
    mine = capture.decode("vrrp && ip.src == 10.88.0.12", "eth.src")
    assert {row[0] for row in mine} == {sender}
    announced = capture.decode(
        f"arp.isgratuitous && arp.src.proto_ipv4 == {VIP}", "eth.src", "arp.src.hw_mac"
    )
    assert {tuple(row) for row in announced} == {(MAC, MAC)}
    exposed = capture.decode(f"arp.src.proto_ipv4 == {VIP} && arp.src.hw_mac == {OWN}", "frame.number")
    assert exposed == [], "RFC 9568 section 8.1.2; keepalived names the VIP when it asks for the client"
    assert capture.complaints("vrrp") == []


def test_keepalived_hears_ours_from_the_virtual_mac_and_takes_over_at_its_goodbye(
    lan: Lan, tmp_path: Path
) -> None:
    extra = 'virtual_mac = "on"'
    with Agent(lan.hosts["b"], tmp_path, priority=200, interval=INTERVAL, extra=extra) as ours:
        ours.wait_for("MASTER", timeout=5)
        with Keepalived(lan.hosts["a"], priority=100, interval=INTERVAL, options="use_vmac") as peer:
            peer.wait_for("Entering BACKUP STATE", timeout=10)
            time.sleep(1.5)
            log = peer.log()
            assert "MASTER STATE" not in log
            assert [c for c in COMPLAINTS if c in log.partition("Entering BACKUP STATE")[2]] == [], log
            ours.terminate()
            peer.wait_for("priority 0", timeout=3)
            peer.wait_for("Entering MASTER STATE", timeout=3)


def test_an_ipv6_router_has_the_mac_of_its_family_and_says_so_to_who_asks(lan: Lan, tmp_path: Path) -> None:
    vips = ("fe80::51", VIP6)
    extra = 'virtual_mac = "on"'
    with Capture(lan.hosts["client"], only="") as capture:
        with Agent(lan.hosts["b"], tmp_path, priority=200, interval=INTERVAL, vips=vips, extra=extra) as ours:
            ours.wait_for("MASTER", timeout=5)
            time.sleep(0.5)
            with lan.hosts["client"].entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asker:
                asker.sendto(b"?", (VIP6, 9))
            time.sleep(0.5)
    assert {row[0] for row in capture.decode("vrrp", "eth.src")} == {MAC6}
    fields = ("icmpv6.nd.na.flag.s", "eth.src", "icmpv6.opt.linkaddr")
    said = {tuple(row) for row in capture.decode(f"icmpv6.nd.na.target_address == {VIP6}", *fields)}
    assert said == {("0", MAC6, MAC6), ("1", MAC6, MAC6)}, "unsolicited, and when asked"
