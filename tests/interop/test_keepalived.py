"""keepalived of Debian as the VRRP peer, in both directions; tshark judges what is on the wire."""

import time
from collections.abc import Iterator
from pathlib import Path
from signal import Signals

import pytest

from haagent.lab.sight import Sort
from haagent.lab.topology import VIP, Lan
from haagent.lab.watch import Watch, wait_until
from tests.kit.agent import Agent
from tests.kit.capture import Capture
from tests.kit.keepalived import Keepalived

pytestmark = pytest.mark.interop

INTERVAL = 0.1
ALLOWANCE = 0.4  # seconds for a loaded machine of two cores


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


def master_down(priority: int) -> float:
    """RFC 9568 section 6.1."""
    return 3 * INTERVAL + (256 - priority) * INTERVAL / 256


def test_ours_stays_backup_to_a_better_keepalived_and_takes_over_when_it_is_killed(
    lan: Lan, tmp_path: Path
) -> None:
    with Keepalived(lan.hosts["a"], priority=200, interval=INTERVAL) as peer:
        peer.wait_for("Entering MASTER STATE", timeout=10)
        with Agent(lan.hosts["b"], tmp_path, priority=100, interval=INTERVAL) as ours:
            time.sleep(1)
            assert ours.role() == "BACKUP"
            killed = time.monotonic()
            peer.signal(Signals.SIGKILL)
            ours.wait_for("MASTER", timeout=5)
            assert time.monotonic() - killed < master_down(100) + ALLOWANCE


def test_ours_yields_to_a_better_keepalived_that_comes_back(lan: Lan, tmp_path: Path) -> None:
    with Agent(lan.hosts["b"], tmp_path, priority=100, interval=INTERVAL) as ours:
        ours.wait_for("MASTER", timeout=5)
        with Keepalived(lan.hosts["a"], priority=200, interval=INTERVAL) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=10)
            ours.wait_for("BACKUP", timeout=2)
            with Watch(lan.hosts["client"]) as watch:
                watch.wait_answer(Sort.ICMP)
                now = time.monotonic()
                time.sleep(0.5)
                assert watch.sight.who(Sort.ARP, now, now + 0.5) == {"a"}


def test_keepalived_stays_backup_to_ours_and_takes_over_at_once_when_ours_says_goodbye(
    lan: Lan, tmp_path: Path
) -> None:
    with Agent(lan.hosts["b"], tmp_path, priority=200, interval=INTERVAL) as ours:
        ours.wait_for("MASTER", timeout=5)
        with Keepalived(lan.hosts["a"], priority=100, interval=INTERVAL) as peer:
            peer.wait_for("Entering BACKUP STATE", timeout=10)
            time.sleep(2)
            log = peer.log()
            assert "MASTER STATE" not in log
            for complaint in ("nvalid", "mismatch", "ip number count", "unknown"):
                assert complaint not in log.partition("Entering BACKUP STATE")[2], log
            ours.terminate()
            peer.wait_for("priority 0", timeout=2)
            peer.wait_for("Entering MASTER STATE", timeout=2)


def test_keepalived_takes_over_from_ours_when_all_of_ours_is_killed_and_one_node_owns_the_address(
    lan: Lan, tmp_path: Path
) -> None:
    with Agent(lan.hosts["b"], tmp_path, priority=200, interval=INTERVAL) as ours:
        ours.wait_for("MASTER", timeout=5)
        with Keepalived(lan.hosts["a"], priority=100, interval=INTERVAL) as peer:
            peer.wait_for("Entering BACKUP STATE", timeout=10)
            with Watch(lan.hosts["client"]) as watch:
                watch.wait_answer(Sort.ICMP)
                ours.kill()
                peer.wait_for("Entering MASTER STATE", timeout=3)
                time.sleep(0.2)
                now = time.monotonic()
                time.sleep(0.5)
                assert watch.sight.who(Sort.ARP, now, now + 0.5) == {"a"}


def test_tshark_finds_nothing_wrong_with_what_we_send(lan: Lan, tmp_path: Path) -> None:
    with Capture(lan.hosts["client"], only="vrrp or arp") as capture:
        with Agent(lan.hosts["b"], tmp_path, priority=254, interval=INTERVAL) as ours:
            ours.wait_for("MASTER", timeout=5)
            time.sleep(1)
        time.sleep(0.3)
    sent = capture.decode("vrrp", "vrrp.version", "vrrp.prio", "vrrp.virt_rtr_id", "ip.ttl", "vrrp.ip_addr")
    assert len(sent) > 8
    assert {tuple(row) for row in sent[:-1]} == {("3", "254", "51", "255", VIP)}
    assert sent[-1][1] == "0", "the last word is priority 0"
    gratuitous = capture.decode(f"arp.src.proto_ipv4 == {VIP} && arp.isgratuitous", "arp.opcode")
    assert gratuitous
    assert capture.complaints("vrrp") == []
    assert capture.decode("vrrp && vrrp.checksum.status == 0", "frame.number") == []


def test_an_equal_keepalived_and_ours_settle_on_the_greater_address(lan: Lan, tmp_path: Path) -> None:
    with Keepalived(lan.hosts["a"], priority=150, interval=INTERVAL) as peer:
        with Agent(lan.hosts["b"], tmp_path, priority=150, interval=INTERVAL) as ours:
            assert wait_until(lambda: ours.role() == "MASTER" or "Entering MASTER STATE" in peer.log(), 5)
            time.sleep(1)
            masters = (ours.role() == "MASTER", peer.log().rstrip().endswith("MASTER STATE"))
            assert sum(masters) <= 1, (masters, peer.log())
