"""Malformed and forged advertisements beside a real master: none moves us, each is counted."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, Lan
from haagent.lab.watch import wait_until
from haagent.vrrp.pdu import checksum
from tests.kit.agent import Agent
from tests.kit.keepalived import Keepalived
from tests.kit.vrrp_packets import advertisement

pytestmark = pytest.mark.interop

INTERVAL = 0.1
IP_AT, PDU_AT = 14, 34


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


def forged(change: Callable[[bytearray], None] = lambda pdu: None, *, ttl: int = 255, to: str = "") -> bytes:
    """Priority 255 from the client; the checksums fit what was changed."""
    frame = bytearray(
        advertisement(
            vrid=51,
            priority=255,
            interval=INTERVAL,
            mac="02:88:00:00:00:0c",
            source=IPv4Address("10.88.0.13"),
            vips=[IPv4Address(VIP)],
            style="rfc9568",
        )
    )
    pdu = frame[PDU_AT:]
    change(pdu)
    if pdu[6:8] != b"\xde\xad":
        pdu[6:8] = b"\0\0"
        pdu[6:8] = struct.pack("!H", checksum(bytes(pdu)))
    ip = frame[IP_AT:PDU_AT]
    ip[8] = ttl
    ip[2:4] = struct.pack("!H", 20 + len(pdu))
    if to:
        ip[16:20] = IPv4Address(to).packed
        frame[0:6] = bytes.fromhex("02880000000b")
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", checksum(bytes(ip)))
    return bytes(frame[:IP_AT] + ip + pdu)


def octet(at: int, value: int) -> Callable[[bytearray], None]:
    def change(pdu: bytearray) -> None:
        pdu[at] = value

    return change


def bad_checksum(pdu: bytearray) -> None:
    pdu[6:8] = b"\xde\xad"


def cut(pdu: bytearray) -> None:
    del pdu[9:]


def no_address(pdu: bytearray) -> None:
    del pdu[8:]
    pdu[3] = 0


def interval_0(pdu: bytearray) -> None:
    pdu[4:6] = b"\0\0"


MALFORMED = {
    "ttl": forged(ttl=254),
    "version": forged(octet(0, 0x41)),
    "type": forged(octet(0, 0x32)),
    "length": forged(cut),
    "checksum": forged(bad_checksum),
    "vrid": forged(octet(1, 52)),
    "count": forged(no_address),
    "interval": forged(interval_0),
    "destination": forged(to="10.88.0.12"),
}
LOW_TTL_UNICAST = forged(to="10.88.0.12", ttl=3)


def test_nothing_malformed_moves_us_and_each_is_counted_by_its_reason(lan: Lan, tmp_path: Path) -> None:
    with Keepalived(lan.hosts["a"], priority=200, interval=INTERVAL) as peer:
        peer.wait_for("Entering MASTER STATE", timeout=10)
        with Agent(lan.hosts["b"], tmp_path, priority=100, interval=INTERVAL) as ours:
            ours.wait_for("BACKUP", timeout=3)
            with lan.hosts["client"].entered():
                wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                wire.bind(("eth0", 0))
            with wire:
                for frame in (*MALFORMED.values(), LOW_TTL_UNICAST):
                    wire.send(frame)
            wanted = {f"discarded_{reason}" for reason in MALFORMED}
            assert wait_until(lambda: wanted <= ours.counters().keys(), 3), ours.counters()
            assert ours.counters()["discarded_ttl"] >= 2
            time.sleep(0.5)
            assert ours.role() == "BACKUP"
            assert len(ours.status()["routers"]) == 1
