"""IO shell: what two agents put on the wire, and what they do with what others put there."""

import socket
import time
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, VIP6, Lan
from tests.integration.haagent.pair import Pair
from tests.kit.capture import Capture

GROUP = "224.0.0.18"


@pytest.mark.interop
def test_tshark_finds_the_advertisements_and_announcements_of_a_switchover_valid(pair: Pair) -> None:
    with Capture(pair.lan.hosts["client"]) as capture:
        pair.a.client.post("/v1/switchover")
        pair.until(lambda: pair.settled("b"), 2)
        time.sleep(0.5)
    fields = ("ip.src", "ip.ttl", "vrrp.version", "vrrp.virt_rtr_id", "vrrp.prio", "vrrp.ip_addr")
    adverts = capture.decode("vrrp", *fields)
    assert ["10.88.0.12", "255", "3", "51", "253", VIP] in adverts
    assert {advert[2] for advert in adverts} == {"3"}
    assert capture.complaints("vrrp && vrrp.checksum.status != 1") == []
    assert ["02:88:00:00:00:0b"] in capture.decode(
        f"arp.isgratuitous && arp.src.proto_ipv4 == {VIP}", "arp.src.hw_mac"
    )
    assert capture.decode(
        f"icmpv6.type == 136 && icmpv6.nd.na.target_address == {VIP6}", "icmpv6.opt.linkaddr"
    )


@pytest.mark.root
def test_garbage_on_the_vrrp_protocol_is_counted_and_moves_nothing(pair: Pair) -> None:
    with pair.lan.hosts["client"].entered():
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.88.0.13"))
    with sender:
        for ttl in (1, 255):
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
            for payload in (
                b"",
                b"\x31",
                b"\x31\x33\xfe\x01",
                b"\x31\x33\xff\x01\x00\x0a\x00\x00\x01\x02\x03\x04",
                bytes(900),
            ):
                sender.sendto(payload, (GROUP, 0))
    pair.until(lambda: sum(discards(pair).values()) >= 10, 2)
    assert discards(pair)["discarded_ttl"] >= 4
    assert discards(pair)["discarded_checksum"] >= 1
    assert pair.settled("a")


def discards(pair: Pair) -> dict[str, int]:
    counters = pair.b.status()["routers"][0]["counters"]
    return {name: count for name, count in counters.items() if name.startswith("discarded_")}


@pytest.mark.root
def test_iptables_hide_and_show_the_vip_too(tmp_path: Path) -> None:
    with Lan() as lan:
        pair = Pair(lan, tmp_path, strategy="on-both", rules="iptables", lease="off")
        try:
            pair.start()
            assert VIP in pair.a.addresses()
            assert VIP in pair.b.addresses()
            pair.until(lambda: pair.owners() == {"a"}, 3)
            pair.a.client.post("/v1/switchover")
            pair.until(lambda: pair.settled("b"), 3)
            pair.until(lambda: pair.owners() == {"b"}, 3)
        finally:
            pair.stop()
