"""On a real kernel: what a backup hears, answers and sends, by every strategy and backend."""

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from haagent.lab.namespaces import Host
from haagent.lab.topology import PORTS, VIP, VIP6, Lan
from netrules import (
    Backend,
    Flip,
    IptablesFlip,
    LeaseLapsedError,
    Nftables,
    Ruleset,
    Strategy,
    Vip,
    apply,
    check,
    desired,
    plan,
    remove,
)
from tests.kit import wire

pytestmark = pytest.mark.root

MACS = {port.host: bytes.fromhex(port.mac.replace(":", "")) for port in PORTS if port.wire == "lan"}
CLIENT, CLIENT6 = "10.88.0.13", "fd88::13"
IP_TRANSPARENT, IPV6_TRANSPARENT, IPV6_FREEBIND = 19, 75, 78
FIREWALL = b"""table inet fw {
  chain c {
    type filter hook input priority 10; policy accept;
    ct state invalid drop
  }
}
"""
ON_BOTH = [Backend.NFTABLES, Backend.IPTABLES]


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


class Node:
    """Node b with the rules of a backup, until the test is over."""

    def __init__(self, host: Host, state_dir: Path) -> None:
        self.host, self._state_dir = host, state_dir
        with host.entered():
            self.nft = Nftables()

    def apply(self, strategy: Strategy, backend: Backend, *, lease: bool = False) -> Ruleset:
        rules = desired(strategy, backend, [Vip.parse(VIP, "eth0"), Vip.parse(VIP6, "eth0")], lease=lease)
        with self.host.entered():
            apply(rules, nftables=self.nft, state_dir=self._state_dir)
        return rules

    def plan(self, rules: Ruleset) -> list[str]:
        with self.host.entered():
            return [step.text for step in plan(rules, self.nft, state_dir=self._state_dir)]

    def problems(self, rules: Ruleset) -> list[str]:
        with self.host.entered():
            return [p.text for p in check(rules, nftables=self.nft, state_dir=self._state_dir)]

    def remove(self) -> None:
        with self.host.entered():
            remove(nftables=self.nft, state_dir=self._state_dir)

    def address(self, action: str) -> None:
        """Add or delete the VIPs."""
        with self.host.entered(), IPRoute() as route:
            index = route.link_lookup(ifname="eth0")[0]
            for text in (VIP, VIP6):
                length = ipaddress.ip_address(text).max_prefixlen
                route.addr(
                    action, index=index, address=text, prefixlen=length, flags=0x02 if ":" in text else 0
                )


@pytest.fixture
def backup(lan: Lan, tmp_path: Path) -> Iterator[Node]:
    node = Node(lan.hosts["b"], tmp_path)
    yield node
    with suppress(NetlinkError):  # it may not be there
        node.address("del")
    node.remove()


def answers(lan: Lan, request: bytes) -> list[bytes]:
    """The ARP replies and neighbour advertisements that b sends when it is asked."""
    with wire.packet_socket(lan.hosts["client"]) as sock:
        sock.send(request)
        return wire.heard(sock, lambda f: f[6:12] == MACS["b"] and wire.is_answer(f), seconds=0.3)


def arp_answers(lan: Lan) -> list[bytes]:
    return answers(lan, wire.arp_request(MACS["client"], CLIENT, VIP))


def nd_answers(lan: Lan) -> list[bytes]:
    return answers(lan, wire.neighbour_solicitation(MACS["client"], CLIENT6, VIP6))


def flip(node: Node, rules: Ruleset, lease_ms: int = 10_000) -> Flip | IptablesFlip:
    if rules.backend is Backend.IPTABLES:
        return IptablesFlip(rules)
    return Flip(rules, lease_ms, node.nft)


def send_soon(sock: socket.socket, data: bytes, peer: str) -> None:
    """Send once the kernel allows it: an IPv6 address becomes local by a work queue, after it is added."""
    end = time.monotonic() + 2
    while True:
        try:
            sock.sendto(data, (peer, 9))
        except PermissionError:
            assert time.monotonic() < end, "the guard still stops an address that is local"
            time.sleep(0.002)
        else:
            return


def delivered(lan: Lan, node: Node, vip: str, bound: socket.socket) -> bool:
    """Whether a datagram that is forced to b's MAC reaches a socket on the VIP."""
    client = "10.88.0.13" if ":" not in vip else CLIENT6
    with lan.hosts["client"].entered(), IPRoute() as route:
        index = route.link_lookup(ifname="eth0")[0]
        route.neigh(
            "replace", ifindex=index, dst=vip, lladdr=":".join(f"{b:02x}" for b in MACS["b"]), state=0x80
        )
    bound.settimeout(0.1)
    with wire.udp_socket(lan.hosts["client"], client, 0) as sender:
        for _ in range(5):
            sender.sendto(b"ping", (vip, 5060))
            with suppress(TimeoutError):
                return bound.recv(100) == b"ping"
    return False


@pytest.mark.parametrize("backend", ON_BOTH)
def test_a_hidden_vip_is_neither_answered_for_nor_reached_nor_used(
    lan: Lan, backup: Node, backend: Backend
) -> None:
    rules = backup.apply(Strategy.ON_BOTH, backend)
    backup.address("add")
    assert arp_answers(lan) == []
    assert nd_answers(lan) == []
    for vip in (VIP, VIP6):
        with wire.udp_socket(backup.host, vip, 5060) as bound:
            assert not delivered(lan, backup, vip, bound)
            with wire.packet_socket(lan.hosts["client"]) as client:
                peer = CLIENT if vip == VIP else CLIENT6
                leak = (
                    f"leak by {backend}".encode()
                )  # what an earlier test left in a neighbour queue is not ours
                with suppress(PermissionError):  # iptables tells the sender
                    bound.sendto(leak, (peer, 9))
                assert wire.heard(client, partial(contains, leak), seconds=0.2) == []
    assert backup.problems(rules) == []


@pytest.mark.parametrize("backend", ON_BOTH)
def test_after_showing_traffic_flows_to_a_socket_bound_before(
    lan: Lan, backup: Node, backend: Backend
) -> None:
    rules = backup.apply(Strategy.ON_BOTH, backend)
    backup.address("add")
    with wire.udp_socket(backup.host, VIP, 5060) as v4, wire.udp_socket(backup.host, VIP6, 5060) as v6:
        with backup.host.entered():
            flip(backup, rules).show()
        assert arp_answers(lan)
        assert nd_answers(lan)
        assert delivered(lan, backup, VIP, v4)
        assert delivered(lan, backup, VIP6, v6)
        with backup.host.entered():
            flip(backup, rules).hide()
        assert not delivered(lan, backup, VIP, v4)
        assert not delivered(lan, backup, VIP6, v6)


def test_nftables_also_stops_a_packet_socket_that_forges_the_vip(lan: Lan, backup: Node) -> None:
    backup.apply(Strategy.ON_BOTH, Backend.NFTABLES)
    assert forged_arp(lan, backup) == []


def test_iptables_leaves_the_hole_of_the_packet_socket(lan: Lan, backup: Node) -> None:
    backup.apply(Strategy.ON_BOTH, Backend.IPTABLES)
    assert forged_arp(lan, backup)


def contains(text: bytes, frame: bytes) -> bool:
    return text in frame


def forged_arp(lan: Lan, node: Node) -> list[bytes]:
    with wire.packet_socket(lan.hosts["client"]) as client, wire.packet_socket(node.host) as forger:
        with suppress(OSError):  # the egress hook says ENOBUFS
            forger.send(wire.gratuitous_arp(MACS["b"], VIP))
        return wire.heard(client, lambda f: f[6:12] == MACS["b"] and f[12:14] == b"\x08\x06", seconds=0.2)


@pytest.mark.parametrize("backend", ON_BOTH)
@pytest.mark.parametrize(
    ("vip", "peer", "options"),
    [
        (VIP, CLIENT, ((socket.IPPROTO_IP, IP_TRANSPARENT),)),
        (VIP6, CLIENT6, ((socket.IPPROTO_IPV6, IPV6_FREEBIND),)),
        (VIP6, CLIENT6, ((socket.IPPROTO_IPV6, IPV6_TRANSPARENT),)),
    ],
    ids=["v4 transparent", "v6 freebind", "v6 transparent"],
)
def test_the_guard_stops_what_leaves_with_a_vip_that_is_not_local(
    lan: Lan, backup: Node, backend: Backend, vip: str, peer: str, options: tuple[tuple[int, int], ...]
) -> None:
    with wire.packet_socket(lan.hosts["client"]) as client:
        with wire.udp_socket(backup.host, vip, 5070, options=options) as sock:
            sock.sendto(b"leak", (peer, 9))
            seen = wire.heard(client, lambda f: b"leak" in f, seconds=0.3)
            assert seen, "without the guard the kernel lets it out: else this test shows nothing"
        backup.apply(Strategy.ON_MASTER, backend)
        with wire.udp_socket(backup.host, vip, 5070, options=options) as sock:
            with pytest.raises(PermissionError):
                sock.sendto(b"leak", (peer, 9))
            assert wire.heard(client, lambda f: b"leak" in f, seconds=0.2) == []
            backup.address("add")
            send_soon(sock, b"mine", peer)
            assert wire.heard(client, lambda f: b"mine" in f, seconds=0.3)


def test_without_the_address_a_backup_on_master_is_silent_and_can_bind(lan: Lan, backup: Node) -> None:
    backup.apply(Strategy.ON_MASTER, Backend.NFTABLES)
    with wire.udp_socket(backup.host, VIP, 5060) as v4, wire.udp_socket(backup.host, VIP6, 5060) as v6:
        assert arp_answers(lan) == []
        assert nd_answers(lan) == []
        backup.address("add")
        assert delivered(lan, backup, VIP, v4)
        assert delivered(lan, backup, VIP6, v6)


def test_a_lease_that_nobody_renews_makes_the_node_deaf_and_mute(lan: Lan, backup: Node) -> None:
    rules = backup.apply(Strategy.ON_MASTER, Backend.NFTABLES, lease=True)
    backup.address("add")
    lease = Flip(rules, 1000, backup.nft)
    assert arp_answers(lan) == [], "no lease yet"
    lease.show()
    assert arp_answers(lan)
    lease.refresh()
    time.sleep(1.05)
    assert arp_answers(lan) == []
    assert nd_answers(lan) == []
    assert forged_arp(lan, backup) == []
    with pytest.raises(LeaseLapsedError):
        lease.refresh()
    assert arp_answers(lan) == [], "a renewal that came too late does not bring the lease back"
    lease.show()
    assert nd_answers(lan)


def test_applying_twice_changes_nothing_and_removing_puts_everything_back(lan: Lan, backup: Node) -> None:
    backup.nft.run(FIREWALL)
    before = backup.nft.text("ruleset")
    for strategy in Strategy:
        for backend in Backend:
            rules = backup.apply(strategy, backend)
            assert backup.plan(rules) == []
            assert backup.problems(rules) == []
            backup.remove()
            after = backup.nft.text("ruleset")
            assert before.strip() in after, "foreign rules survive"
            assert "haagent" not in after.lower()
            assert nonlocal_bind(backup.host) == "0"
    backup.nft.run(b"delete table inet fw")


def test_rules_that_somebody_took_away_are_missed_and_put_back(lan: Lan, backup: Node) -> None:
    rules = backup.apply(Strategy.ON_BOTH, Backend.NFTABLES)
    backup.nft.run(b"delete table netdev haagent_hide")
    assert backup.problems(rules) == ["missing: write table netdev haagent_hide"]
    backup.apply(Strategy.ON_BOTH, Backend.NFTABLES)
    assert backup.problems(rules) == []


def test_a_firewall_that_would_hang_tcp_clients_after_a_takeover_is_warned_of(lan: Lan, backup: Node) -> None:
    rules = backup.apply(Strategy.ON_MASTER, Backend.NFTABLES)
    backup.nft.run(FIREWALL)
    loose = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_loose")
    with backup.host.entered():
        loose.write_text("0")
    assert any("tcp_loose" in text for text in backup.problems(rules))
    with backup.host.entered():
        loose.write_text("1")
    assert backup.problems(rules) == []
    backup.nft.run(b"delete table inet fw")


def nonlocal_bind(host: Host) -> Any:
    with host.entered():
        return Path("/proc/sys/net/ipv4/ip_nonlocal_bind").read_text().strip()
