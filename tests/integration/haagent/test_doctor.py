"""haagent doctor finds each fault that is really made: in the host, in the LAN and at the peer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.namespaces import Host
from haagent.lab.topology import VIP, Lan
from tests.integration.haagent.pair import AgentNode, Pair
from tests.kit.doctor import advertising, diagnose

pytestmark = pytest.mark.root


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        both = Pair(lan, tmp_path)
        try:
            yield both
        finally:
            both.stop()


def shell(host: Host, command: str) -> None:
    assert host.spawn(["sh", "-ec", command]).wait(10) == 0, command


def test_a_pair_that_works_has_no_failure_on_either_node(pair: Pair) -> None:
    pair.start()
    before = pair.a.history(), pair.b.history()
    for node in (pair.a, pair.b):
        found = diagnose(node.host, node.config)
        assert found.failed == set(), found.checks
        assert found.code == 0
        assert found.levels("peer") == found.levels("core") == {"ok"}
    assert "hears advertisements of 10.88.0.11" in found.find("multicast", "ok")
    assert pair.settled("a")
    assert (pair.a.history(), pair.b.history()) == before, "the doctor moves nothing"


def test_multicast_that_the_switch_keeps_back_is_found_because_the_peer_says_that_it_is_master(
    pair: Pair,
) -> None:
    pair.start()
    shell(
        pair.lan.hosts["switch"],
        "nft add table bridge f; nft 'add chain bridge f c { type filter hook forward priority 0; }';"
        "nft add rule bridge f c ether daddr 01:00:5e:00:00:12 drop",
    )
    found = diagnose(pair.b.host, pair.b.config)
    assert "the peer is MASTER, and in" in found.find("multicast", "fail")
    assert found.code == 1


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (
            "nft add table inet f; nft 'add chain inet f in { type filter hook input priority 0; }';"
            "nft add rule inet f in ip protocol vrrp drop",
            "drop",
        ),
        (
            "nft add table inet f;"
            "nft 'add chain inet f in { type filter hook input priority 0; policy drop; }';"
            "nft add rule inet f in ip protocol '{ icmp, tcp, udp }' accept",
            "nft inet f in: policy drop",
        ),
        ("iptables -A INPUT -p 112 -j DROP", "DROP"),
    ],
)
def test_a_firewall_that_drops_protocol_112_is_found_with_its_rule(
    pair: Pair, command: str, rule: str
) -> None:
    shell(pair.b.host, command)
    found = diagnose(pair.b.host, pair.b.config)
    assert "a packet of protocol 112 to ourselves is dropped on eth0" in found.find("firewall", "fail")
    assert rule in found.find("firewall", "fail")
    with advertising(pair.lan.hosts["client"], vips=[VIP]):
        found = diagnose(pair.b.host, pair.b.config)
    assert "none got past its firewall" in found.find("firewall", "fail")
    assert found.levels("multicast") == {"ok"}


def test_an_output_chain_that_refuses_protocol_112_is_found(pair: Pair) -> None:
    shell(pair.b.host, "iptables -A OUTPUT -p 112 -j DROP")
    found = diagnose(pair.b.host, pair.b.config)
    assert "the output chain refuses protocol 112" in found.find("firewall", "fail")


def test_a_stranger_with_our_vrid_and_what_differs_in_his_advertisements_are_found(pair: Pair) -> None:
    with advertising(pair.lan.hosts["client"], vips=["10.88.0.200"], priority=253, interval=100):
        found = diagnose(pair.b.host, pair.b.config)
    assert "10.88.0.13 (VRID 51) advertises 10.88.0.200, not 10.88.0.100" in found.find("vips", "fail")
    assert "every 1000 ms, we every 100 ms" in found.find("interval", "warn")
    assert "has priority 253, as we have" in found.find("priority", "warn")


def test_a_second_sender_beside_the_peer_is_found(pair: Pair) -> None:
    pair.start()
    with advertising(pair.lan.hosts["client"], vips=[VIP], priority=1):
        on_backup = diagnose(pair.b.host, pair.b.config)
        on_master = diagnose(pair.a.host, pair.a.config)
    assert "is advertised by 10.88.0.11, 10.88.0.13 at once" in on_backup.find("vrid", "fail")
    assert "this node is master, and 10.88.0.13 advertises too" in on_master.find("vrid", "fail")


def test_a_vip_that_belongs_to_somebody_else_is_found_on_the_lan_and_on_the_host(pair: Pair) -> None:
    shell(
        pair.lan.hosts["client"], f"ip addr add {VIP}/32 dev eth0; ip addr add fd88::100/128 dev eth0 nodad"
    )
    found = diagnose(pair.b.host, pair.b.config)
    assert f"{VIP} belongs to 02:88:00:00:00:0c" in found.find("vip", "fail")
    assert "fd88::100 belongs to 02:88:00:00:00:0c" in found.find("vip", "fail")
    shell(pair.b.host, f"ip addr add {VIP}/32 dev eth0")
    found = diagnose(pair.b.host, pair.b.config)
    assert f"{VIP} is configured on this host by somebody else" in found.find("vip", "fail")


def test_a_path_that_carries_only_small_packets_is_found(pair: Pair) -> None:
    pair.start()
    shell(pair.lan.hosts["switch"], "ip link set a-lan mtu 1400")
    found = diagnose(pair.b.host, pair.b.config)
    assert "packets of 1500 bytes do not get to 10.88.0.11 over eth0" in found.find("mtu", "fail")
    shell(pair.b.host, "ip link set eth0 mtu 1280")
    assert "eth0 has MTU 1280" in diagnose(pair.b.host, pair.b.config).find("mtu", "warn")


def test_a_peer_without_agent_with_another_key_or_with_our_name_is_found(pair: Pair) -> None:
    pair.a.start_core()
    pair.a.start()
    pair.until(lambda: pair.a.role() == "MASTER", 10)
    pair.until(lambda: pair.a.history()[-1]["phases"]["core_told_ms"] is not None, 10)
    good, before = pair.b.config.read_text(), changes(pair.a)
    found = diagnose(pair.b.host, pair.b.config)
    assert "is node a, MASTER, and has our key" in found.find("peer", "ok")
    key = pair.b.base / "other.key"
    key.write_text("fedcba9876543210fedcba9876543210\n")
    pair.b.config.write_text(good.replace(str(pair.b.base.parent / "peer.key"), str(key)))
    assert "another key" in diagnose(pair.b.host, pair.b.config).find("peer", "fail")
    pair.b.config.write_text(good.replace('node = "b"', 'node = "a"'))
    assert "both nodes are called 'a'" in diagnose(pair.b.host, pair.b.config).find("peer", "fail")
    shell(pair.b.host, "iptables -A OUTPUT -p tcp --dport 5405 -j DROP")
    assert "a firewall, or no path" in diagnose(pair.b.host, pair.b.config).find("peer", "fail")
    assert pair.a.role() == "MASTER"
    assert changes(pair.a) == before, "a doctor at the door is nobody's death"


def changes(node: AgentNode) -> list[tuple[str, str]]:
    """Role and reason; what a record says of its core comes when the core has been told."""
    return [(record["role"], record["reason"]) for record in node.history()]


def test_sysctls_that_would_stop_a_takeover_are_found(pair: Pair) -> None:
    shell(
        pair.a.host,
        "ip addr add 10.88.0.55/24 dev sync0; cd /proc/sys/net;"
        "echo 1 > ipv4/conf/eth0/rp_filter; echo 0 > ipv4/conf/all/arp_ignore;"
        "echo 1 > ipv6/conf/eth0/disable_ipv6",
    )
    found = diagnose(pair.a.host, pair.a.config)
    assert "rp_filter is strict and sync0 is in the same network" in found.find("sysctl", "fail")
    assert "IPv6 is off on eth0" in found.find("sysctl", "fail")
    assert "sync0 answers for the VIPs of eth0 too" in found.find("sysctl", "warn")
    shell(pair.a.host, "echo 8 > /proc/sys/net/ipv4/conf/eth0/arp_ignore")
    assert "eth0 answers no ARP" in diagnose(pair.a.host, pair.a.config).find("sysctl", "fail")
    readonly = ["unshare", "-m", "sh", "-c", 'mount -o bind,ro /proc/sys /proc/sys && exec "$0" "$@"']
    found = diagnose(pair.a.host, pair.a.config, prefix=readonly)
    assert "/proc/sys is read-only" in found.find("sysctl", "fail")


def test_a_full_disk_a_missing_core_and_a_cable_that_is_out_are_found(pair: Pair) -> None:
    pair.lan.unplug("a", "lan")
    state = pair.a.base / "state"
    state.mkdir()
    full = (
        f"mount -t tmpfs -o size=8k tmpfs {state} && head -c 8192 /dev/zero > {state}/x; " + 'exec "$0" "$@"'
    )
    found = diagnose(pair.a.host, pair.a.config, prefix=["unshare", "-m", "sh", "-c", full])
    assert "No space left on device" in found.find("state_dir", "fail")
    assert "no SIP core" in found.find("core", "fail")
    assert "eth0 is down or has no carrier" in found.find("link", "fail")
    assert "nobody listens there" in found.find("peer", "fail")


def test_missing_privileges_are_found(pair: Pair) -> None:
    less = [
        "setpriv",
        "--bounding-set=-net_raw,-sys_nice,-ipc_lock",
        "--inh-caps=-net_raw,-sys_nice,-ipc_lock",
    ]
    found = diagnose(pair.a.host, pair.a.config, prefix=less)
    assert found.find("capabilities", "fail") == "missing: CAP_NET_RAW"
    assert found.levels("real-time") == {"warn"}
    assert "cannot listen to VRRP: Operation not permitted" in found.find("link", "fail")


def test_a_config_that_does_not_fit_and_a_pair_that_does_not_match_are_found(pair: Pair) -> None:
    other = pair.b.config.read_text()
    pair.b.config.write_text(other.replace("vrid = 51", "vrid = 52").replace(VIP, "10.88.0.101"))
    found = diagnose(pair.a.host, pair.a.config, "--other", str(pair.b.config))
    assert "sip.vrid: 51 here, 52 there" in found.find("pair", "fail")
    assert "sip.vips" in found.find("pair", "fail")
    pair.a.config.write_text(pair.a.config.read_text().replace("eth0", "eth9"))
    found = diagnose(pair.a.host, pair.a.config)
    assert "'eth9' is not an interface of this host" in found.find("config", "fail")
    pair.a.config.write_text("node = 1")
    found = diagnose(pair.a.host, pair.a.config)
    assert (found.code, found.checks) == (2, [])
    assert "node: 1: expected `str`" in found.errors
