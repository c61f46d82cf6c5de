"""The frames as scapy reads them back."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from scapy.layers.inet import IP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRP, VRRPv3

from haagent.vrrp.frames import Sender, announce, multicast, unicast

MAC = "02:00:00:00:00:0a"
VIPS = [ip_address("10.88.0.100"), ip_address("fd88::100")]


def sender(*, version: int = 3, interval: float = 0.1, password: bytes | None = None) -> Sender:
    return Sender(
        vrid=51,
        version=version,
        interval=interval,
        mac=MAC,
        source=IPv4Address("10.88.0.11"),
        vips=VIPS,
        password=password,
    )


def sender6() -> Sender:
    vips = [IPv6Address("fd88::100"), IPv6Address("fe80::51")]
    return Sender(vrid=51, interval=0.1, mac=MAC, source=IPv6Address("fe80::11"), vips=vips)


def test_a_template_becomes_an_advertisement_of_any_priority() -> None:
    for priority in (0, 100, 254, 255):
        vrrp = Ether(multicast(sender()).packet(priority))[VRRPv3]
        assert (vrrp.version, vrrp.type, vrrp.vrid, vrrp.priority, vrrp.adv) == (3, 1, 51, priority, 10)
        assert vrrp.addrlist == ["10.88.0.100"]  # one family per packet, checklist 7


def test_version_2_tells_whole_seconds_and_always_has_room_for_a_password() -> None:
    """RFC 3768 section 5.3, octet for octet as scapy builds it."""
    for password in (None, b"secret"):
        frame = Ether(multicast(sender(version=2, interval=3.0, password=password)).packet(100))
        built = VRRP(vrid=51, priority=100, adv=3, ipcount=1, addrlist=["10.88.0.100"])
        built.authtype = 0 if password is None else 1
        words = (password or b"").ljust(8, b"\0")
        built.auth1, built.auth2 = int.from_bytes(words[:4]), int.from_bytes(words[4:])
        assert bytes(frame[IP].payload) == bytes(built)


def test_an_ipv6_router_advertises_its_link_local_address_first() -> None:
    """[1, 2, 3, 7, 9]"""
    frame = Ether(multicast(sender6()).packet(200))
    assert (frame.src, frame.dst) == (MAC, "33:33:00:00:00:12")
    ip, vrrp = frame[IPv6], frame[VRRPv3]
    assert (ip.src, ip.dst, ip.hlim, ip.tc, ip.nh, ip.plen) == ("fe80::11", "ff02::12", 255, 0xC0, 112, 40)
    assert vrrp.addrlist == ["fe80::51", "fd88::100"]
    told, vrrp.chksum = vrrp.chksum, None
    assert VRRPv3(bytes(vrrp)).vrid == 51
    again = IPv6(bytes(ip.copy()))
    again[VRRPv3].chksum = None
    assert IPv6(bytes(again))[VRRPv3].chksum == told  # with the pseudo-header, by scapy


def test_a_unicast_advertisement_is_the_message_alone_with_the_peer_in_its_checksum() -> None:
    to = unicast(sender(), IPv4Address("10.88.0.12"))
    assert (to.to, to.head) == ("10.88.0.12", b"")
    oracle = IP(src="10.88.0.11", dst="10.88.0.12", proto=112) / VRRPv3(
        vrid=51, priority=7, adv=10, ipcount=1, addrlist=["10.88.0.100"]
    )
    assert to.packet(7) == bytes(oracle)[20:]


def test_gratuitous_arp_goes_out_in_both_forms() -> None:
    request, reply = (Ether(frame) for frame in announce(VIPS[0], MAC))
    for frame, operation in ((request, 1), (reply, 2)):
        arp = frame[ARP]
        assert (frame.dst, frame.src, arp.op, arp.hwsrc) == ("ff:ff:ff:ff:ff:ff", MAC, operation, MAC)
        assert arp.psrc == arp.pdst == "10.88.0.100"


def test_an_ipv6_vip_is_announced_by_an_unsolicited_override_advertisement() -> None:
    """[40]: the router flag is set for the addresses of an IPv6 virtual router."""
    for router in (False, True):
        frame = Ether(announce(VIPS[1], MAC, router=router)[0])
        neighbour = frame[ICMPv6ND_NA]
        assert (frame.dst, frame[IPv6].dst, frame[IPv6].hlim) == ("33:33:00:00:00:01", "ff02::1", 255)
        assert (neighbour.R, neighbour.S, neighbour.O, neighbour.tgt) == (router, 0, 1, "fd88::100")
        assert frame[ICMPv6NDOptDstLLAddr].lladdr == MAC
