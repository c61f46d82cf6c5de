"""The frames as scapy reads them back."""

from ipaddress import IPv4Address, ip_address

from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRPv3

from haagent.vrrp.frames import FrameSet, build_frames

MAC = "02:00:00:00:00:0a"


def frames() -> FrameSet:
    return build_frames(
        vrid=51,
        priorities=[254, 100],
        interval=0.1,
        mac=MAC,
        source=IPv4Address("10.88.0.11"),
        vips=[ip_address("10.88.0.100"), ip_address("fd88::100")],
    )


def test_there_is_one_advertisement_per_priority_and_one_for_priority_0() -> None:
    built = frames()
    assert set(built.advertisements) == {0, 100, 254}
    for priority, frame in built.advertisements.items():
        vrrp = Ether(frame)[VRRPv3]
        assert (vrrp.version, vrrp.type, vrrp.vrid, vrrp.priority, vrrp.adv) == (3, 1, 51, priority, 10)
        assert vrrp.addrlist == ["10.88.0.100"]  # one family per packet, checklist 7


def test_gratuitous_arp_goes_out_in_both_forms() -> None:
    request, reply, _ = (Ether(frame) for frame in frames().announcements)
    for frame, operation in ((request, 1), (reply, 2)):
        arp = frame[ARP]
        assert (frame.dst, frame.src, arp.op, arp.hwsrc) == ("ff:ff:ff:ff:ff:ff", MAC, operation, MAC)
        assert arp.psrc == arp.pdst == "10.88.0.100"


def test_an_ipv6_vip_is_announced_by_an_unsolicited_override_advertisement() -> None:
    frame = Ether(frames().announcements[2])
    neighbour = frame[ICMPv6ND_NA]
    assert (frame.dst, frame[IPv6].dst, frame[IPv6].hlim) == ("33:33:00:00:00:01", "ff02::1", 255)
    assert (neighbour.R, neighbour.S, neighbour.O, neighbour.tgt) == (0, 0, 1, "fd88::100")
    assert frame[ICMPv6NDOptDstLLAddr].lladdr == MAC
