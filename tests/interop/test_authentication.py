"""Signed advertisements on a real LAN: between two agents, against a forger, and beside keepalived 2.2."""

import socket
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, Lan
from haagent.lab.watch import wait_until
from tests.kit.agent import Agent
from tests.kit.capture import Capture
from tests.kit.keepalived import Keepalived
from tests.kit.vrrp_packets import advertisement

pytestmark = pytest.mark.interop

INTERVAL = 0.1
KEY = "0123456789abcdef0123456789abcdef"
AUTH = """
[virtual_router.auth]
mode = "{mode}"
keys = [{{ id = 7, file = "{file}" }}]
send = 7
"""


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


def agent(lan: Lan, host: str, folder: Path, *, priority: int, mode: str) -> Agent:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "key").write_text(KEY + "\n")
    extra = AUTH.format(mode=mode, file=folder / "key")
    return Agent(lan.hosts[host], folder, priority=priority, interval=INTERVAL, extra=extra)


def test_a_pair_that_enforces_signatures_hears_itself_but_neither_forger_nor_recorder(
    lan: Lan, tmp_path: Path
) -> None:
    with agent(lan, "a", tmp_path / "a", priority=200, mode="enforce") as first:
        first.wait_for("MASTER", timeout=5)
        with (
            agent(lan, "b", tmp_path / "b", priority=100, mode="enforce") as second,
            Capture(lan.hosts["client"], only="vrrp") as capture,
        ):
            time.sleep(1)
            assert (first.role(), second.role()) == ("MASTER", "BACKUP")
            with lan.hosts["client"].entered():
                wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
                wire.bind(("eth0", 0x0800))
            with wire:
                wire.settimeout(5)
                recorded = wire.recv(2048)
                while recorded[23] != 112:
                    recorded = wire.recv(2048)
                forged = advertisement(
                    vrid=51,
                    priority=255,
                    interval=INTERVAL,
                    source=IPv4Address("10.88.0.13"),
                    vips=[IPv4Address(VIP)],
                )
                for frame in (forged, recorded):
                    wire.send(frame)
            for node in (first, second):
                assert wait_until(lambda n=node: n.counters().get("discarded_unsigned", 0) > 0, 3)  # type: ignore[misc]
            assert wait_until(lambda: second.counters().get("discarded_replay", 0) > 0, 3)
            time.sleep(0.5)
            assert (first.role(), second.role()) == ("MASTER", "BACKUP")
    assert {row[0] for row in capture.decode("vrrp && ip.src == 10.88.0.11", "ip.len")} == {"60"}


def test_keepalived_2_2_drops_what_is_signed_and_hears_us_while_we_only_receive(
    lan: Lan, tmp_path: Path
) -> None:
    with agent(lan, "b", tmp_path / "quiet", priority=200, mode="receive-only") as ours:
        ours.wait_for("MASTER", timeout=5)
        with Keepalived(lan.hosts["a"], priority=100, interval=INTERVAL) as peer:
            peer.wait_for("Entering BACKUP STATE", timeout=10)
            time.sleep(1)
            assert "MASTER STATE" not in peer.log()
    with agent(lan, "b", tmp_path / "signs", priority=200, mode="permissive") as ours:
        ours.wait_for("MASTER", timeout=5)
        with Keepalived(lan.hosts["a"], priority=100, interval=INTERVAL) as peer:
            peer.wait_for("too long", timeout=10)
