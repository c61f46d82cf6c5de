"""IO shell: Accept_Mode on a real kernel: an address that is not accepted still has a MAC."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, VIP6, Lan
from haagent.lab.watch import wait_until
from tests.kit.agent import Agent

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


def answers(lan: Lan, address: str) -> bool:
    """Whether a datagram to a port that nobody has comes back as unreachable."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with lan.hosts["client"].entered(), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.5)
        asking.connect((address, 9))
        asking.send(b"?")
        try:
            asking.recv(1)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    return False


def neighbour(lan: Lan, address: str) -> str:
    with lan.hosts["client"].entered():
        argv = ["ip", "neighbour", "show", address]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("accept", "priority"), [("true", 100), ("false", 100), ("false", 255)])
def test_without_accept_mode_only_arp_and_neighbour_discovery_are_answered_unless_by_the_owner(
    lan: Lan, tmp_path: Path, accept: str, priority: int
) -> None:
    with Agent(
        lan.hosts["b"],
        tmp_path,
        priority=priority,
        interval=0.1,
        vips=(VIP, VIP6),
        extra=f"accept = {accept}",
    ) as ours:
        ours.wait_for("MASTER", timeout=5)
        with lan.hosts["client"].entered():
            subprocess.run(["ip", "neighbour", "flush", "dev", "eth0"], check=True, capture_output=True)
        accepted = accept == "true" or priority == 255
        for address in (VIP, VIP6):
            assert wait_until(lambda a=address: answers(lan, a) is accepted, 3), ours.log()  # type: ignore[misc]
            assert "02:88:00:00:00:0b" in neighbour(lan, address)
