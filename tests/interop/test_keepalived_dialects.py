"""Every dialect of VRRP with Debian's keepalived: version 2, password, IPv6, unicast, and mismatches."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

import pytest

from haagent.lab.topology import VIP, VIP6, Lan
from haagent.lab.watch import wait_until
from tests.kit.agent import Agent
from tests.kit.capture import Capture
from tests.kit.keepalived import Keepalived
from tests.kit.vrrp_dialect import Dialect

pytestmark = pytest.mark.interop

ALLOWANCE = 0.6  # seconds for a loaded machine of two cores
A, B = "10.88.0.11", "10.88.0.12"
A6, B6 = "fd88::11", "fd88::12"
LINK_LOCAL = "fe80::51"
COMPLAINTS = ("nvalid", "mismatch", "ip number count", "unknown", "too long", "passwd")


@dataclass(frozen=True)
class KeepalivedDialect(Dialect):
    """How both are configured: keepalived on host a, ours on host b."""

    theirs: str = ""
    wire: dict[str, str] = field(default_factory=dict)  # what tshark reads of ours

    def keepalived(self, lan: Lan, priority: int) -> Keepalived:
        return Keepalived(
            lan.hosts["a"],
            priority=priority,
            interval=self.interval,
            version=self.version,
            options=self.theirs,
            vips=self.vips,
        )

    def agent(self, lan: Lan, folder: Path, priority: int) -> Agent:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "password").write_text("s3cret42\n")
        return super().agent(lan, folder, priority)


PASSWORD = "authentication {\n auth_type PASS\n auth_pass s3cret42\n }"
V2 = KeepalivedDialect("v2", 2, 1.0, wire={"vrrp.version": "2", "ip.ttl": "255", "vrrp.auth_type": "0"})
PASS = KeepalivedDialect(
    "v2-pass",
    2,
    1.0,
    'password_file = "{folder}/password"',
    theirs=PASSWORD,
    wire={"vrrp.version": "2", "vrrp.auth_type": "1", "vrrp.auth_string": "s3cret42"},
)
QUARTER = KeepalivedDialect("v3-250ms", interval=0.25, wire={"vrrp.version": "3", "ip.dst": "224.0.0.18"})
IPV6 = KeepalivedDialect(
    "v3-ipv6",
    vips=(LINK_LOCAL, VIP6),
    wire={"vrrp.version": "3", "ipv6.dst": "ff02::12", "ipv6.hlim": "255"},
)
UNICAST = KeepalivedDialect(
    "v3-unicast",
    ours=f'unicast_peers = ["{A}"]',
    theirs=f"unicast_src_ip {A}\n unicast_peer {{ {B}\n }}",
    wire={"vrrp.version": "3", "ip.dst": A, "ip.ttl": "255"},
)
UNICAST2 = KeepalivedDialect(
    "v2-unicast",
    2,
    1.0,
    f'unicast_peers = ["{A}"]',
    theirs=f"unicast_src_ip {A}\n unicast_peer {{ {B}\n }}",
    wire={"vrrp.version": "2", "ip.dst": A, "ip.ttl": "255"},
)
UNICAST6 = KeepalivedDialect(
    "v3-unicast6",
    ours=f'unicast_peers = ["{A6}"]\nsource = "{B6}"\nmin_ttl = 64',
    theirs=f"unicast_src_ip {A6}\n unicast_peer {{ {B6}\n }}",
    vips=(LINK_LOCAL, VIP6),
    wire={"vrrp.version": "3", "ipv6.dst": A6, "ipv6.hlim": "255"},
)
DIALECTS = [V2, PASS, QUARTER, IPV6, UNICAST, UNICAST2, UNICAST6]


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with Lan() as made:
        yield made


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_ours_takes_over_from_a_killed_keepalived_in_time_and_yields_when_it_is_back(
    lan: Lan, tmp_path: Path, dialect: KeepalivedDialect
) -> None:
    with dialect.agent(lan, tmp_path, 100) as ours:
        with dialect.keepalived(lan, 200) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=15)
            ours.wait_for("BACKUP", timeout=3)
            time.sleep(0.3)
            assert ours.role() == "BACKUP", ours.log()
            killed = time.monotonic()
            peer.signal(Signals.SIGKILL)
            ours.wait_for("MASTER", timeout=dialect.master_down(100) + 3)
            assert time.monotonic() - killed < dialect.master_down(100) + ALLOWANCE
        with dialect.keepalived(lan, 200) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=15)
            ours.wait_for("BACKUP", timeout=dialect.interval + 1)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_keepalived_has_no_complaint_of_ours_and_takes_over_at_its_goodbye(
    lan: Lan, tmp_path: Path, dialect: KeepalivedDialect
) -> None:
    with dialect.agent(lan, tmp_path, 200) as ours:
        ours.wait_for("MASTER", timeout=15)
        with dialect.keepalived(lan, 100) as peer, Capture(lan.hosts["b"], only="") as capture:
            peer.wait_for("Entering BACKUP STATE", timeout=10)
            time.sleep(max(1.5, 2.5 * dialect.interval))
            log = peer.log()
            assert "MASTER STATE" not in log
            assert [c for c in COMPLAINTS if c in log.partition("Entering BACKUP STATE")[2]] == [], log
            ours.terminate()
            peer.wait_for("priority 0", timeout=2)
            peer.wait_for("Entering MASTER STATE", timeout=dialect.master_down(100) + 1)
    mine = "vrrp && eth.src == 02:88:00:00:00:0b"
    sent = capture.decode(f"{mine} && vrrp.prio == 200", *dialect.wire)
    assert sent
    assert {tuple(row) for row in sent} == {tuple(dialect.wire.values())}
    assert capture.decode(f"{mine} && vrrp.prio == 0", "vrrp.prio")
    assert capture.complaints("vrrp") == []
    assert capture.decode("vrrp && vrrp.checksum.status == 0", "frame.number") == []


def test_a_wrong_password_is_ignored_by_both(lan: Lan, tmp_path: Path) -> None:
    with PASS.agent(lan, tmp_path, 100) as ours:
        with Keepalived(
            lan.hosts["a"],
            priority=200,
            interval=1,
            version=2,
            options=PASSWORD.replace("s3cret42", "s3cret43"),
        ) as peer:
            ours.wait_for("MASTER", timeout=8)
            peer.wait_for("received an invalid passwd", timeout=8)
            assert wait_until(lambda: ours.counters().get("discarded_auth", 0) > 0, 5), ours.status()
            assert ours.role() == "MASTER"


def test_an_interval_that_differs_is_refused_in_version_2_and_adopted_in_version_3(
    lan: Lan, tmp_path: Path
) -> None:
    with V2.agent(lan, tmp_path / "2", 100) as ours:
        with Keepalived(lan.hosts["a"], priority=200, interval=2, version=2) as peer:
            peer.wait_for("advertisement interval mismatch", timeout=15)
            assert wait_until(lambda: ours.counters().get("discarded_interval", 0) > 0, 10), ours.status()
    with Agent(lan.hosts["b"], tmp_path / "3", priority=100, interval=0.1) as ours:
        with Keepalived(lan.hosts["a"], priority=200, interval=0.3) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=10)
            ours.wait_for("BACKUP", timeout=3)
            time.sleep(1)
            assert ours.role() == "BACKUP"
            assert ours.counters()["mismatched_interval"] > 0
            killed = time.monotonic()
            peer.signal(Signals.SIGKILL)
            ours.wait_for("MASTER", timeout=5)
            assert time.monotonic() - killed > 0.6  # three of the master's intervals, not of ours


@pytest.mark.parametrize(("mismatch", "role"), [("rfc", "BACKUP"), ("drop", "MASTER")])
def test_other_addresses_are_counted_or_dropped_as_configured(
    lan: Lan, tmp_path: Path, mismatch: str, role: str
) -> None:
    extra = f'vips_mismatch = "{mismatch}"'
    with Agent(lan.hosts["b"], tmp_path, priority=100, interval=0.1, extra=extra) as ours:
        with Keepalived(lan.hosts["a"], priority=200, interval=0.1, vips=(VIP, "10.88.0.101")) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=10)
            time.sleep(1)
            ours.wait_for(role, timeout=3)
            counter = "mismatched_vips" if mismatch == "rfc" else "discarded_vips"
            assert ours.counters()[counter] > 0


def test_a_stranger_is_not_taken_for_a_peer(lan: Lan, tmp_path: Path) -> None:
    stranger = 'unicast_peers = ["10.88.0.77"]'
    with Agent(lan.hosts["b"], tmp_path, priority=100, interval=0.1, extra=stranger) as ours:
        with UNICAST.keepalived(lan, 200) as peer:
            peer.wait_for("Entering MASTER STATE", timeout=10)
            assert wait_until(lambda: ours.counters().get("discarded_stranger", 0) > 0, 5), ours.status()
            assert ours.role() == "MASTER"


@pytest.mark.parametrize(("ours_on", "theirs_on"), [("a", "b"), ("b", "a")])
def test_of_two_masters_with_equal_priorities_the_greater_address_stays(
    lan: Lan, tmp_path: Path, ours_on: str, theirs_on: str
) -> None:
    deaf = ["iptables", "-I", "INPUT", "-p", "vrrp", "-j", "DROP"]
    hears = [*deaf[:1], "-D", *deaf[2:]]
    hosts = [lan.hosts[name] for name in (ours_on, theirs_on)]
    assert [host.spawn(deaf).wait(10) for host in hosts] == [0, 0]
    try:
        with Agent(hosts[0], tmp_path, priority=100, interval=0.1) as ours:
            ours.wait_for("MASTER", timeout=5)
            with Keepalived(hosts[1], priority=100, interval=0.1) as peer:
                peer.wait_for("Entering MASTER STATE", timeout=10)
                assert [host.spawn(hears).wait(10) for host in hosts] == [0, 0]
                if ours_on == "b":
                    peer.wait_for("Entering BACKUP STATE", timeout=5)
                    assert ours.role() == "MASTER"
                else:
                    ours.wait_for("BACKUP", timeout=5)
    finally:
        for host in hosts:
            host.spawn(hears).wait(10)


def test_an_ipv6_vip_is_announced_with_router_and_override_flag_and_joins_its_solicited_node_group(
    lan: Lan, tmp_path: Path
) -> None:
    with Capture(lan.hosts["client"], only="") as capture:
        with IPV6.agent(lan, tmp_path, 200) as ours:
            ours.wait_for("MASTER", timeout=5)
            time.sleep(0.3)
            with lan.hosts["b"].entered():
                groups = Path("/proc/self/net/igmp6").read_text()
    assert "ff0200000000000000000001ff000100" in groups
    announced = capture.decode(
        f"icmpv6.nd.na.target_address == {VIP6} && icmpv6.nd.na.flag.s == 0",
        "icmpv6.nd.na.flag.r",
        "icmpv6.nd.na.flag.o",
        "icmpv6.opt.linkaddr",
        "ipv6.hlim",
    )
    assert announced
    assert {tuple(row) for row in announced} == {("1", "1", "02:88:00:00:00:0b", "255")}
