"""Several virtual routers beside keepalived's vrrp_sync_group, an owner of addresses, and preemption."""

import time
from collections.abc import Iterator
from pathlib import Path
from signal import Signals

import pytest

from haagent.lab.topology import VIP, VIP6, Lan
from haagent.lab.watch import wait_until
from tests.kit.agent import Agent
from tests.kit.keepalived import Keepalived

pytestmark = pytest.mark.interop

INTERVAL = 0.1
SECOND = f"""
[[virtual_router]]
name = "sip6"
vrid = 51
interface = "eth0"
priority = 100
advert_interval = "100ms"
vips = ["fe80::51", "{VIP6}"]
"""
THEIR_SECOND = f"""
vrrp_instance sip6 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int {INTERVAL}
    virtual_ipaddress {{
        fe80::51/128
        {VIP6}/128
    }}
}}
vrrp_sync_group both {{
    group {{
        sip
        sip6
    }}
}}
"""


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


def states(ours: Agent) -> list[str]:
    return [router["state"] for router in ours.status()["routers"]]


def test_an_ipv4_and_an_ipv6_router_move_together_with_keepalived_s_sync_group(
    lan: Lan, tmp_path: Path
) -> None:
    with Agent(lan.hosts["b"], tmp_path, priority=100, interval=INTERVAL, extra=SECOND) as ours:
        with Keepalived(lan.hosts["a"], priority=200, interval=INTERVAL, more=THEIR_SECOND) as peer:
            peer.wait_for("VRRP_Group(both) Syncing instances to MASTER state", timeout=15)
            ours.wait_for("BACKUP", timeout=3)
            time.sleep(0.5)
            assert states(ours) == ["BACKUP", "BACKUP"]
            peer.signal(Signals.SIGKILL)
            ours.wait_for("MASTER", timeout=5)
            assert states(ours) == ["MASTER", "MASTER"]
            assert all(router["vips_present"] for router in ours.status()["routers"])


def test_an_owner_is_master_at_once_and_keepalived_accepts_its_priority(lan: Lan, tmp_path: Path) -> None:
    with Keepalived(lan.hosts["a"], priority=200, interval=INTERVAL) as peer:
        peer.wait_for("Entering MASTER STATE", timeout=10)
        with Agent(lan.hosts["b"], tmp_path, priority=255, interval=INTERVAL) as ours:
            peer.wait_for("Entering BACKUP STATE", timeout=5)
            assert wait_until(lambda: "higher priority 255" in peer.log(), 3), peer.log()
            time.sleep(0.5)
            assert ours.role() == "MASTER"
            assert ours.status()["reason"] == "address owner"


def test_preemption_waits_for_its_delay(lan: Lan, tmp_path: Path) -> None:
    with Keepalived(lan.hosts["a"], priority=100, interval=INTERVAL) as peer:
        peer.wait_for("Entering MASTER STATE", timeout=10)
        started = time.monotonic()
        delay = 'preempt_delay = "4s"'
        with Agent(
            lan.hosts["b"], tmp_path, priority=200, interval=INTERVAL, preempt=True, extra=delay
        ) as ours:
            joined = time.monotonic()
            time.sleep(max(0.0, 3.5 - (time.monotonic() - started)))
            assert ours.role() == "BACKUP"
            ours.wait_for("MASTER", timeout=6)
            assert time.monotonic() - started > 4.0
            assert time.monotonic() - joined < 5.5
            peer.wait_for("higher priority 200, ours 100", timeout=3)


def test_without_preempt_a_better_node_stays_backup(lan: Lan, tmp_path: Path) -> None:
    with Keepalived(lan.hosts["a"], priority=100, interval=INTERVAL) as peer:
        peer.wait_for("Entering MASTER STATE", timeout=10)
        with Agent(lan.hosts["b"], tmp_path, priority=200, interval=INTERVAL) as ours:
            time.sleep(1.5)
            assert ours.role() == "BACKUP"
            assert VIP in str(ours.status()["routers"][0]["vips"])
