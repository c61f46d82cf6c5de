"""On a real kernel, frame by frame: what the netdev tables stop while a VIP is hidden, and only then.

The kernel alone would not show it: it does not answer when it has not heard, so one rule covers for another.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from haagent.lab.topology import PORTS, VIP, VIP6, Lan
from netrules import Backend, Flip, Nftables, Strategy, Vip, apply, desired, remove
from tests.kit import wire

pytestmark = pytest.mark.root

MAC = {port.host: port.mac for port in PORTS if port.wire == "lan"}
NODE, NODE6, CLIENT, CLIENT6 = "10.88.0.12", "fd88::12", "10.88.0.13", "fd88::13"
TO_CLIENT = Ether(src=MAC["b"], dst=MAC["client"])
TO_NODE = Ether(src=MAC["client"], dst=MAC["b"])

# Frames that nobody answers: a client that looks for the VIP of its own accord would be counted, too.
OUT = {
    "ARP reply": TO_CLIENT / ARP(op=2, hwsrc=MAC["b"], psrc=VIP, hwdst=MAC["client"], pdst=CLIENT),
    "ARP request": TO_CLIENT / ARP(op=1, hwsrc=MAC["b"], psrc=VIP, pdst=CLIENT),
    "IPv4": TO_CLIENT / IP(src=VIP, dst=CLIENT) / ICMP(type="echo-reply"),
    "IPv6": TO_CLIENT / IPv6(src=VIP6, dst=CLIENT6) / ICMPv6EchoReply(),
    "NA from another source": TO_CLIENT
    / IPv6(src=NODE6, dst=CLIENT6, hlim=255)
    / ICMPv6ND_NA(tgt=VIP6, O=1)
    / ICMPv6NDOptDstLLAddr(lladdr=MAC["b"]),
}
IN = {
    "ARP request": TO_NODE / ARP(op=1, hwsrc=MAC["client"], psrc=CLIENT, pdst=VIP),
    "ARP reply": TO_NODE / ARP(op=2, hwsrc=MAC["client"], psrc=CLIENT, hwdst=MAC["b"], pdst=VIP),
    "IPv4": TO_NODE / IP(src=CLIENT, dst=VIP) / UDP(sport=9, dport=5060) / b"frame",
    "IPv6": TO_NODE / IPv6(src=CLIENT6, dst=VIP6) / UDP(sport=9, dport=5060) / b"frame",
    "NS": TO_NODE / IPv6(src=CLIENT6, dst="ff02::1:ff00:100", hlim=255) / ICMPv6ND_NS(tgt=VIP6),
    "NS of a duplicate check": TO_NODE
    / IPv6(src="::", dst="ff02::1:ff00:100", hlim=255)
    / ICMPv6ND_NS(tgt=VIP6),
}
OTHERS = {
    "ARP": TO_CLIENT / ARP(op=2, hwsrc=MAC["b"], psrc=NODE, hwdst=MAC["client"], pdst=CLIENT),
    "ARP request for the VIP": TO_CLIENT / ARP(op=1, hwsrc=MAC["b"], psrc=NODE, pdst=VIP),
    "to the VIP": TO_CLIENT / IP(src=NODE, dst=VIP) / ICMP(type="echo-reply"),
    "IPv6": TO_CLIENT / IPv6(src=NODE6, dst=CLIENT6) / ICMPv6EchoReply(),
    "NS for the VIP": TO_CLIENT / IPv6(src=NODE6, dst="ff02::1:ff00:100", hlim=255) / ICMPv6ND_NS(tgt=VIP6),
}


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


@pytest.fixture(params=["hidden", "without a lease"])
def flip(lan: Lan, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Flip, Nftables]]:
    strategy = Strategy.ON_BOTH if request.param == "hidden" else Strategy.ON_MASTER
    vips = [Vip.parse(VIP, "eth0"), Vip.parse(VIP6, "eth0")]
    rules = desired(strategy, Backend.NFTABLES, vips, lease=strategy is Strategy.ON_MASTER)
    with lan.hosts["b"].entered():
        nft = Nftables()
        apply(rules, nftables=nft, state_dir=tmp_path)
    yield Flip(rules, 60_000, nft), nft
    with lan.hosts["b"].entered():
        remove(nftables=nft, state_dir=tmp_path)


def arrives(lan: Lan, frame: Packet) -> bool:
    """Whether a frame that a packet socket of b sends comes out at the client."""
    sent = bytes(frame)
    with wire.packet_socket(lan.hosts["client"]) as client, wire.packet_socket(lan.hosts["b"]) as forger:
        with suppress(OSError):  # the egress hook says ENOBUFS
            forger.send(sent)
        return bool(wire.heard(client, lambda f: f[: len(sent)] == sent, seconds=0.1))


def dropped(nft: Nftables) -> int:
    """How many frames our ingress rules have dropped so far."""
    found = 0
    for table in nft.listing("tables"):
        named = table.get("table")
        if isinstance(named, dict) and named["family"] == "netdev":
            lines = nft.text(f"chain netdev {named['name']} ingress_0").splitlines()
            found += sum(int(line.split("packets ")[1].split()[0]) for line in lines if "packets " in line)
    return found


def drops_of(lan: Lan, nft: Nftables, frame: Packet) -> int:
    """How many more our ingress rules have dropped after the client has sent this frame to b."""
    before = dropped(nft)
    with wire.packet_socket(lan.hosts["client"]) as client, wire.packet_socket(lan.hosts["b"]) as tap:
        client.send(bytes(frame))
        assert wire.heard(tap, lambda f: f[: len(frame)] == bytes(frame), seconds=0.1), "it came to b"
    return dropped(nft) - before


@pytest.mark.parametrize("kind", OUT)
def test_no_frame_that_names_a_hidden_vip_leaves(lan: Lan, flip: tuple[Flip, Nftables], kind: str) -> None:
    assert not arrives(lan, OUT[kind])
    flip[0].show()
    assert arrives(lan, OUT[kind])
    flip[0].hide()
    assert not arrives(lan, OUT[kind])


@pytest.mark.parametrize("kind", IN)
def test_no_frame_for_a_hidden_vip_is_heard(lan: Lan, flip: tuple[Flip, Nftables], kind: str) -> None:
    assert drops_of(lan, flip[1], IN[kind]) == 1
    flip[0].show()
    assert drops_of(lan, flip[1], IN[kind]) == 0


@pytest.mark.parametrize("kind", OTHERS)
def test_what_the_node_says_for_itself_leaves(lan: Lan, flip: tuple[Flip, Nftables], kind: str) -> None:
    assert arrives(lan, OTHERS[kind])
