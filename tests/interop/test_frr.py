"""FRRouting's vrrpd of Debian as the VRRP peer: versions, families, checksums, a virtual MAC."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from haagent.lab.topology import VIP6, Lan
from tests.kit.agent import Agent
from tests.kit.capture import Capture
from tests.kit.frr import MISSING, Frr
from tests.kit.vrrp_dialect import Dialect

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(MISSING, reason="FRR is missing: install Debian's package frr"),
]

ALLOWANCE = 1.0  # seconds for a loaded machine of two cores
MAC = "00:00:5e:00:01:33"


@dataclass(frozen=True)
class FrrDialect(Dialect):
    """FRR on host a, ours on host b."""

    sender: str = "02:88:00:00:00:0b"

    @property
    def family(self) -> str:
        return "IPv6" if ":" in self.vips[0] else "IPv4"

    def frr(self, lan: Lan, priority: int) -> Frr:
        return Frr(
            lan.hosts["a"],
            priority=priority,
            interval=self.interval,
            version=self.version,
            vips=self.vips,
        )


DIALECTS = [
    FrrDialect("v3"),
    FrrDialect("v3-vmac", ours='virtual_mac = "on"', sender=MAC),
    FrrDialect("v2", 2, 1.0),
    FrrDialect("v3-ipv6", vips=("fe80::51", VIP6)),
]


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.sender != MAC], ids=lambda d: d.name)
def test_ours_is_backup_to_a_better_frr_takes_over_when_it_is_killed_and_yields_when_it_is_back(
    lan: Lan, tmp_path: Path, dialect: FrrDialect
) -> None:
    with dialect.agent(lan, tmp_path, 100) as ours:
        with dialect.frr(lan, 200) as peer:
            peer.wait_for(f"[{dialect.family}] Backup -> Master", timeout=20)
            ours.wait_for("BACKUP", timeout=5)
            time.sleep(0.3)
            assert ours.role() == "BACKUP", ours.log()
            killed = time.monotonic()
            peer.kill()
            ours.wait_for("MASTER", timeout=dialect.master_down(100) + 5)
            assert time.monotonic() - killed < dialect.master_down(100) + ALLOWANCE
        with dialect.frr(lan, 200) as peer:
            peer.wait_for(f"[{dialect.family}] Backup -> Master", timeout=20)
            ours.wait_for("BACKUP", timeout=dialect.interval + 3)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_frr_takes_each_advertisement_of_ours_and_takes_over_at_its_goodbye(
    lan: Lan, tmp_path: Path, dialect: FrrDialect
) -> None:
    with dialect.agent(lan, tmp_path, 200) as ours:
        ours.wait_for("MASTER", timeout=15)
        with dialect.frr(lan, 100) as peer, Capture(lan.hosts["client"], only="") as capture:
            peer.wait_for(f"[{dialect.family}] Initialize -> Backup", timeout=20)
            time.sleep(max(1.5, 4 * dialect.interval))
            log = peer.log()
            assert "Backup -> Master" not in log, log
            assert "Datagram invalid" not in log, log
            assert log.count("Received VRRP Advertisement from") > 2, log
            ours.terminate()
            peer.wait_for("Backup -> Master", timeout=dialect.master_down(100) + 3)
    sent = capture.decode("vrrp && vrrp.prio == 200", "eth.src", "vrrp.version")
    assert {tuple(row) for row in sent} == {(dialect.sender, str(dialect.version))}
    assert capture.decode(f"vrrp && vrrp.prio == 0 && eth.src == {dialect.sender}", "vrrp.prio")
    assert capture.complaints("vrrp") == []


def test_frr_8_4_drops_the_checksum_of_rfc_9568_and_ours_takes_both(lan: Lan, tmp_path: Path) -> None:
    with Agent(lan.hosts["b"], tmp_path, priority=100, interval=0.1, extra='checksum = "rfc9568"') as ours:
        with Frr(lan.hosts["a"], priority=200, interval=0.1) as peer:
            peer.wait_for("[IPv4] Backup -> Master", timeout=20)
            ours.wait_for("BACKUP", timeout=5)
            assert ours.counters().get("discarded_checksum", 0) == 0
    with Agent(lan.hosts["b"], tmp_path, priority=200, interval=0.1, extra='checksum = "rfc9568"') as ours:
        ours.wait_for("MASTER", timeout=5)
        with Frr(lan.hosts["a"], priority=100, interval=0.1) as peer:
            peer.wait_for("Bad VRRP checksum", timeout=20)
