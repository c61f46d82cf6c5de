"""The laboratory's network itself, with no daemon on it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from haagent.lab import faults
from haagent.lab.errors import LabError
from haagent.lab.namespaces import Host
from haagent.lab.sight import Sort
from haagent.lab.topology import VIP, Lan, address
from haagent.lab.watch import Watch, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.root]


@pytest.fixture(name="lan")
def _lan() -> Iterator[Lan]:
    with Lan() as lan:
        yield lan


def give_vip(host: Host) -> None:
    """Put the VIP on a host and tell the LAN."""
    code = (
        "from pyroute2 import IPRoute\n"
        "with IPRoute() as ip:\n"
        f"    ip.addr('replace', index=ip.link_lookup(ifname='eth0')[0], address='{VIP}', prefixlen=32)\n"
    )
    assert host.spawn([sys.executable, "-c", code]).wait(10) == 0


def udp(host: Host, local: str) -> socket.socket:
    with host.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((local, 9))
        sock.settimeout(2)
        return sock


@pytest.mark.parametrize("wire", ["lan", "sync"])
def test_nodes_reach_each_other_on_both_wires(lan: Lan, wire: str) -> None:
    with udp(lan.hosts["a"], address("a", wire)) as a, udp(lan.hosts["b"], address("b", wire)) as b:  # type: ignore[arg-type] # both are wires
        a.sendto(b"hello", b.getsockname())
        assert b.recvfrom(16) == (b"hello", a.getsockname())


def test_probe_sees_one_owner_then_two(lan: Lan) -> None:
    give_vip(lan.hosts["a"])
    with Watch(lan.hosts["client"]) as watch:
        watch.wait_answer(Sort.ICMP)
        watch.wait_answer(Sort.ARP)
        assert watch.sight.who(Sort.ARP, 0, time.monotonic()) == {"a"}
        give_vip(lan.hosts["b"])
        since = time.monotonic()
        assert wait_until(lambda: watch.sight.who(Sort.ARP, since, time.monotonic()) == {"a", "b"}, 5)


def test_power_cut_leaves_no_process_and_no_cable(lan: Lan) -> None:
    give_vip(lan.hosts["a"])
    sleeper = lan.hosts["a"].spawn(["sleep", "60"])
    with Watch(lan.hosts["client"]) as watch:
        watch.wait_answer(Sort.ICMP)
        at = faults.power(lan, "a")
        assert sleeper.wait(2) == -9
        assert lan.hosts["a"].processes() == []
        time.sleep(0.3)
        gap = watch.sight.gap(Sort.ICMP, at, time.monotonic())
        assert gap.end is None
        assert gap.start - at < 0.02


def test_node_without_power_sends_no_last_word(lan: Lan) -> None:
    connect = "s = socket.create_connection(('10.89.0.12', 9))"
    code = f"import socket, time\n{connect}\nprint(1, flush=True)\ntime.sleep(60)"
    with lan.hosts["b"].entered():
        listener = socket.create_server((address("b", "sync"), 9))
    with listener:
        process = lan.hosts["a"].spawn([sys.executable, "-c", code], stdout=subprocess.PIPE)
        connection, _ = listener.accept()
        with connection:
            assert process.stdout is not None
            process.stdout.readline()
            faults.power(lan, "a")
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        process.stdout.close()
        process.wait(2)


def test_rebooted_node_has_its_cables_and_nothing_else(lan: Lan) -> None:
    give_vip(lan.hosts["a"])
    faults.power(lan, "a")
    lan.reboot("a")
    with Watch(lan.hosts["client"], vip=address("a")) as watch:
        watch.wait_answer(Sort.ICMP)
    with Watch(lan.hosts["client"]) as watch, pytest.raises(LabError):
        watch.wait_answer(Sort.ICMP, timeout=0.5)


def test_hosts_end_when_the_laboratory_is_killed() -> None:
    code = (
        "import time\n"
        "from haagent.lab.topology import Lan\n"
        "with Lan() as lan:\n"
        "    sleeper = lan.hosts['a'].spawn(['sleep', '60'])\n"
        "    print(sleeper.pid, *(host.pid for host in lan.hosts.values()), flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as laboratory:
        assert laboratory.stdout is not None
        pids = [int(pid) for pid in laboratory.stdout.readline().split()]
        laboratory.kill()
        # The sleeper has lost its parent: whoever inherits it may take a moment to collect it.
        assert wait_until(lambda: not any(is_running(pid) for pid in pids), 5)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
