"""On a real kernel: what is noticed and mended, what is left alone, and what comes back."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyroute2 import IPRoute

from haagent.lab.namespaces import Host
from netrules import (
    Backend,
    Flip,
    IptablesFlip,
    LeaseLapsedError,
    Nftables,
    NftablesError,
    Role,
    Ruleset,
    Strategy,
    Vip,
    apply,
    check,
    desired,
    plan,
    remove,
)
from netrules.nftables import NftProgram
from netrules.run import run

pytestmark = pytest.mark.root

ADDRESSES = ("10.88.0.100", "fd88::100")
NONLOCAL = {version: Path(f"/proc/sys/net/{version}/ip_nonlocal_bind") for version in ("ipv4", "ipv6")}
NETRULES = [sys.executable, "-m", "netrules"]


@pytest.fixture
def nft() -> Iterator[Nftables]:
    """This thread is inside a host with an interface eth0 while the test runs."""
    host = Host("alone")
    host.wait_ready()
    try:
        with host.entered():
            with IPRoute() as route:
                route.link("add", ifname="eth0", kind="veth", peer={"ifname": "plug"})
                for name in ("lo", "plug", "eth0"):
                    route.link("set", index=route.link_lookup(ifname=name)[0], state="up")
            yield Nftables()
    finally:
        host.close()


def rules(
    strategy: Strategy, backend: Backend = Backend.NFTABLES, *addresses: str, lease: bool = False
) -> Ruleset:
    vips = [Vip.parse(address, "eth0") for address in addresses or ADDRESSES]
    return desired(strategy, backend, vips, lease=lease)


def texts(ruleset: Ruleset, state: Path) -> list[str]:
    return [step.text for step in plan(ruleset, state_dir=state)]


def problems(ruleset: Ruleset, state: Path, role: Role | None = None) -> list[str]:
    return [problem.text for problem in check(ruleset, role=role, state_dir=state)]


def test_rules_that_were_flushed_are_missed_and_written_again(nft: Nftables, tmp_path: Path) -> None:
    ruleset = rules(Strategy.ON_BOTH, lease=True)
    apply(ruleset, state_dir=tmp_path)
    nft.run(b"flush chain inet haagent_guard output")
    assert texts(ruleset, tmp_path) == [
        "write table inet haagent_guard again: chain output holds 0 of 2 rules, 0 in all"
    ]
    apply(ruleset, state_dir=tmp_path)
    assert texts(ruleset, tmp_path) == []


def test_a_rule_that_lets_everything_pass_before_ours_is_missed(nft: Nftables, tmp_path: Path) -> None:
    ruleset = rules(Strategy.ON_BOTH)
    apply(ruleset, state_dir=tmp_path)
    nft.run(b"insert rule netdev haagent_hide ingress_0 accept")
    assert "chain ingress_0 holds 4 of 4 rules, 5 in all" in texts(ruleset, tmp_path)[0]


def test_a_vip_that_changed_is_changed_in_the_kernel(nft: Nftables, tmp_path: Path) -> None:
    for backend in Backend:
        apply(rules(Strategy.ON_BOTH, backend), state_dir=tmp_path)
        other = rules(Strategy.ON_BOTH, backend, "10.88.0.200", "fd88::200")
        apply(other, state_dir=tmp_path)
        assert texts(other, tmp_path) == []
        assert "10.88.0.100" not in nft.text("ruleset")


def test_a_change_of_backend_leaves_nothing_of_the_other(nft: Nftables, tmp_path: Path) -> None:
    apply(rules(Strategy.ON_BOTH, Backend.IPTABLES), state_dir=tmp_path)
    assert "HAAGENT" in nft.text("ruleset")
    apply(rules(Strategy.ON_BOTH), state_dir=tmp_path)
    assert "HAAGENT" not in nft.text("ruleset")
    apply(rules(Strategy.ON_MASTER, Backend.IPTABLES), state_dir=tmp_path)
    assert "haagent_" not in nft.text("ruleset")
    assert "HAAGENT" not in run(["arptables", "-S"]), "on-master has no ARP rules"


@pytest.mark.parametrize("backend", Backend)
def test_check_says_what_is_hidden_and_should_not_be(nft: Nftables, tmp_path: Path, backend: Backend) -> None:
    ruleset = rules(Strategy.ON_BOTH, backend)
    apply(ruleset, state_dir=tmp_path)
    flip = IptablesFlip(ruleset) if backend is Backend.IPTABLES else Flip(ruleset, 90, nft)
    assert problems(ruleset, tmp_path, Role.BACKUP) == []
    assert problems(ruleset, tmp_path, Role.MASTER)
    flip.show()
    assert problems(ruleset, tmp_path, Role.MASTER) == []
    assert problems(ruleset, tmp_path, Role.BACKUP)
    assert texts(ruleset, tmp_path) == [], "a shown VIP is no fault of the rules"


def test_a_vip_that_is_hidden_by_half_is_a_problem(nft: Nftables, tmp_path: Path) -> None:
    ruleset = rules(Strategy.ON_BOTH, Backend.NFTABLES, "10.88.0.100", "10.88.0.101")
    apply(ruleset, state_dir=tmp_path)
    nft.run(b"delete element netdev haagent_hide v4 { 10.88.0.101 }")
    assert problems(ruleset, tmp_path) == ["10.88.0.101 is not hidden (set v4 of netdev haagent_hide)"]


def test_a_lease_is_seen_while_it_lives(nft: Nftables, tmp_path: Path) -> None:
    ruleset = rules(Strategy.ON_MASTER, lease=True)
    apply(ruleset, state_dir=tmp_path)
    assert len(problems(ruleset, tmp_path, Role.MASTER)) == 3
    Flip(ruleset, 10_000, nft).show()
    assert problems(ruleset, tmp_path, Role.MASTER) == []
    assert len(problems(ruleset, tmp_path, Role.BACKUP)) == 3


def test_a_sysctl_that_somebody_set_back_is_told_and_the_earlier_value_comes_back(
    nft: Nftables, tmp_path: Path
) -> None:
    ruleset = rules(Strategy.ON_MASTER)
    NONLOCAL["ipv6"].write_text("1")
    apply(ruleset, state_dir=tmp_path)
    NONLOCAL["ipv4"].write_text("0")
    assert problems(ruleset, tmp_path) == [
        "missing: set net/ipv4/ip_nonlocal_bind to 1 (somebody has set it back)"
    ]
    apply(ruleset, state_dir=tmp_path)
    remove(state_dir=tmp_path)
    assert NONLOCAL["ipv4"].read_text() == "0\n", "it was 0 before us"
    assert NONLOCAL["ipv6"].read_text() == "1\n", "it was 1 before us"
    assert remove(state_dir=tmp_path) == []


def test_mending_one_sysctl_does_not_forget_what_the_other_was(nft: Nftables, tmp_path: Path) -> None:
    apply(rules(Strategy.ON_MASTER), state_dir=tmp_path)
    NONLOCAL["ipv4"].write_text("0")
    apply(rules(Strategy.ON_MASTER), state_dir=tmp_path)
    remove(state_dir=tmp_path)
    assert [path.read_text() for path in NONLOCAL.values()] == ["0\n", "0\n"]


def test_a_flip_works_from_any_state_of_the_sets(nft: Nftables, tmp_path: Path) -> None:
    ruleset = rules(Strategy.ON_BOTH, lease=True)
    apply(ruleset, state_dir=tmp_path)
    flip = Flip(ruleset, 10_000, nft)
    spoilers: list[Callable[[], None]] = [
        lambda: None,
        flip.show,
        flip.hide,
        lambda: nft.run(b"flush set netdev haagent_lease lease_v6\nflush set netdev haagent_hide v4"),
        lambda: nft.run(b"add element netdev haagent_hide v4 { 10.9.9.9 }"),
        lambda: nft.run(b"flush set netdev haagent_lease lease_nd6"),
    ]
    for spoil in spoilers:
        spoil()
        flip.show()
        assert problems(ruleset, tmp_path, Role.MASTER) == []
        spoil()
        flip.hide()
        assert problems(ruleset, tmp_path, Role.BACKUP) == []


def test_a_renewal_tells_a_lapsed_lease_from_a_table_that_is_gone(nft: Nftables, tmp_path: Path) -> None:
    ruleset = rules(Strategy.ON_MASTER, lease=True)
    apply(ruleset, state_dir=tmp_path)
    flip = Flip(ruleset, 1000, nft)
    with pytest.raises(LeaseLapsedError):
        flip.refresh()
    flip.show()
    time.sleep(0.6)
    flip.refresh()
    time.sleep(0.6)
    flip.refresh()
    time.sleep(1.1)
    with pytest.raises(LeaseLapsedError):
        flip.refresh()
    assert "expires" not in nft.text("table netdev haagent_lease")
    nft.run(b"flush ruleset")
    with pytest.raises(NftablesError):
        flip.refresh()


@pytest.mark.parametrize("backend", Backend)
def test_the_node_reaches_its_own_hidden_vip(nft: Nftables, tmp_path: Path, backend: Backend) -> None:
    apply(
        rules(Strategy.ON_BOTH, backend, "10.88.0.100", lease=backend is Backend.NFTABLES), state_dir=tmp_path
    )
    with IPRoute() as route:
        eth0 = route.link_lookup(ifname="eth0")[0]
        route.addr("add", index=eth0, address="10.88.0.100", prefixlen=32)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("10.88.0.100", 5060))
        here.settimeout(1)
        here.sendto(b"own", ("10.88.0.100", 5060))
        assert here.recvfrom(10) == (b"own", ("10.88.0.100", 5060))


def test_the_nft_program_writes_what_the_library_would(nft: Nftables, tmp_path: Path) -> None:
    ruleset = rules(Strategy.ON_BOTH, lease=True)
    program = NftProgram()
    assert len(apply(ruleset, nftables=program, state_dir=tmp_path)) == 4
    assert texts(ruleset, tmp_path) == []
    assert plan(ruleset, program, state_dir=tmp_path) == []
    (told,) = check(ruleset, nftables=program, state_dir=tmp_path)
    assert told.severe
    assert "libnftables.so.1 is missing" in told.text


@pytest.mark.parametrize("tool", ["iptables", "ip6tables"])
def test_an_iptables_firewall_that_would_hang_tcp_clients_is_warned_of(
    nft: Nftables, tmp_path: Path, tool: str
) -> None:
    ruleset = rules(Strategy.ON_MASTER)
    apply(ruleset, state_dir=tmp_path)
    run([tool, "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"])
    Path("/proc/sys/net/netfilter/nf_conntrack_tcp_loose").write_text("0")
    (warned,) = check(ruleset, state_dir=tmp_path)
    assert not warned.severe
    assert "nf_conntrack_tcp_loose is 0" in warned.text


def test_the_command_applies_checks_and_removes(nft: Nftables, tmp_path: Path) -> None:
    vips = ("--vip", ADDRESSES[0], "--vip", ADDRESSES[1], "--strategy", "on-both", "--lease")
    state = ("--state-dir", str(tmp_path))
    nft.run(b"table inet foreign { }\n")

    def steps(*words: str) -> list[str]:
        found: list[str] = json.loads(run([*NETRULES, *words, *state, "--json"]))["steps"]
        return found

    would = steps("apply", *vips, "--dry-run")
    assert "haagent" not in nft.text("ruleset")
    assert steps("apply", *vips, "--role", "master") == would
    assert steps("apply", *vips) == []
    assert run([*NETRULES, "check", *vips, *state, "--role", "master"]) == "all is well\n"
    backup = subprocess.run(
        [*NETRULES, "check", *vips, *state, "--role", "backup"], capture_output=True, text=True, check=False
    )
    assert backup.returncode == 1
    assert "10.88.0.100 is not hidden" in backup.stdout
    assert len(steps("remove")) == 4
    assert steps("remove") == []
    assert [entry for entry in nft.listing("tables") if "table" in entry] == [
        {"table": {"family": "inet", "name": "foreign", "handle": 1}}
    ]


@pytest.mark.parametrize("command", ["apply", "check", "remove"])
def test_without_privilege_the_command_names_the_capability(
    nft: Nftables, tmp_path: Path, command: str
) -> None:
    vip = () if command == "remove" else ("--vip", ADDRESSES[0])
    unprivileged = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"]
    done = subprocess.run(
        [*unprivileged, *NETRULES, command, *vip, "--state-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "CAP_NET_ADMIN is missing" in done.stderr


def test_an_interface_that_is_not_there_is_named(nft: Nftables, tmp_path: Path) -> None:
    done = subprocess.run(
        [*NETRULES, "apply", "--vip", ADDRESSES[0], "--interface", "eth9", "--state-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "interface: eth9 is not on this host (there are eth0, lo, plug)" in done.stderr
    assert nft.text("ruleset") == ""
