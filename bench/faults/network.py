"""IO shell: faults of links, LAN and second path, and what strangers do on the LAN."""

import subprocess
import time
from collections.abc import Callable

from bench.faults.proc import open_files
from bench.faults.stage import Stage
from bench.faults.wire import VRRP, Forger, SipSent, SlowVrrp
from haagent.lab import faults
from haagent.lab.sight import Sort
from haagent.lab.topology import VIP

PATIENCE = 6.0


def pull_cable(stage: Stage) -> None:
    """The master's cable to the LAN is pulled; the second path stays."""
    stage.strike(lambda: faults.link(stage.lan, stage.old))
    stage.wait_move(PATIENCE)
    stage.heal(lambda: stage.lan.plug(stage.old, "lan"))
    stage.look(1)


def interface_down(stage: Stage) -> None:
    """`ip link set eth0 down` on the master, and up again after 2 s."""
    ip = _ip(stage, stage.old)
    stage.strike(lambda: ip("link", "set", "eth0", "down"))
    stage.wait_move(PATIENCE)
    stage.look(1.5)
    stage.heal(lambda: ip("link", "set", "eth0", "up"))
    stage.look(1.5)


def partition(stage: Stage) -> None:
    """Nothing passes between the nodes, on both wires; the client reaches both. Healed after 3 s."""

    def deed() -> None:
        stage.filter.drop_between()
        stage.filter.drop_between(wire="sync")

    stage.strike(deed)
    stage.look(3)
    stage.heal(stage.filter.clear)
    stage.look(3)


def one_way(stage: Stage) -> None:
    """What the master sends over the LAN no longer gets to the backup, the other way round it does."""
    stage.strike(lambda: stage.filter.drop(origin=stage.old, target=stage.new))
    stage.look(3)
    stage.heal(stage.filter.clear)
    stage.look(1)


def filter_multicast(stage: Stage) -> None:
    """A switch or firewall drops VRRP between the nodes."""
    stage.strike(lambda: stage.filter.drop_between(VRRP))
    stage.look(4)
    stage.heal(stage.filter.clear)
    stage.look(1)


def lose(stage: Stage) -> None:
    """Of the advertisements 30 % are lost at random, for 15 s."""
    stage.strike(lambda: stage.filter.drop_between(f"{VRRP} numgen random mod 100 < 30"))
    stage.look(15)
    stage.heal(stage.filter.clear)
    stage.look(1)


def delay(stage: Stage) -> None:
    """Advertisements come 300 to 400 ms late, out of order too, for 6 s."""

    def deed() -> SlowVrrp:
        return SlowVrrp(stage.lan, stage.filter, delay=0.3, jitter=0.1)

    wire = stage.strike(deed)
    stage.defer(wire.close)
    stage.look(6)
    stage.heal(stage.filter.clear)
    stage.look(1)


def cut_replication(stage: Stage) -> None:
    """The replication channel alone is cut for 2.5 s."""

    def deed() -> None:
        stage.filter.drop_between("tcp dport 5070", wire="sync")
        stage.filter.drop_between("tcp sport 5070", wire="sync")

    _cut(stage, deed)


def cut_second_path(stage: Stage) -> None:
    """Nothing passes on the second path, and nobody is told: every connection on it is half open."""
    _cut(stage, lambda: stage.filter.drop_between(wire="sync"))


def _cut(stage: Stage, deed: Callable[[], None]) -> None:
    node = stage.ours.node(stage.old)
    pids = [*node.agent_pids(), *node.core_pids()]
    files = sum(map(open_files, pids))

    def is_linked() -> bool:
        peers = node.core.get("/v1/replication")["peers"].values()
        return all(peer["connected"] for peer in peers)

    stage.strike(deed)
    begin = time.monotonic()
    seen = stage.until(lambda: not is_linked(), 2)
    stage.fact("noticed_after_s", time.monotonic() - begin if seen else 99)
    stage.look(2)
    stage.heal(stage.filter.clear)
    begin = time.monotonic()
    synced = stage.until(stage.ours.pair.is_ready, 8)
    stage.fact("in_sync_after_s", time.monotonic() - begin if synced else 99)
    stage.look(0.5)
    stage.until(lambda: sum(map(open_files, pids)) <= files, 3)
    stage.fact("files_left_open", max(0, sum(map(open_files, pids)) - files))


def remove_vip(stage: Stage) -> None:
    """Somebody removes the virtual IP from the master."""
    ip = _ip(stage, stage.old)
    stage.strike(lambda: ip("addr", "del", f"{VIP}/32", "dev", "eth0"))
    stage.look(2)


def add_vip(stage: Stage) -> None:
    """Somebody configures the virtual IP on the backup."""
    ip = _ip(stage, stage.new)
    stage.touched.add(stage.new)
    stage.strike(lambda: ip("addr", "add", f"{VIP}/32", "dev", "eth0"))
    stage.look(3)


def lose_announcements(stage: Stage) -> None:
    """The power goes, and what the new master announces by ARP in the first 300 ms is lost."""
    stage.touched.add(stage.old)

    def deed() -> None:
        stage.filter.drop(origin=stage.new, target="client", match=f"ether type arp arp saddr ip {VIP}")
        faults.power(stage.lan, stage.old)

    stage.strike(deed)
    stage.until(lambda: any(c.role == "MASTER" for c in stage.changes()), PATIENCE)
    stage.look(0.3)
    stage.heal(stage.filter.clear)
    stage.until(lambda: stage.answers(stage.new, Sort.ICMP), PATIENCE)
    stage.look(0.5)


def forge(stage: Stage) -> None:
    """A stranger advertises our virtual router with priority 255, for 3 s."""
    _forge(stage, priority=255, vips=(VIP,))


def same_vrid(stage: Stage) -> None:
    """Another pair on the LAN has the same VRID: other addresses, priority 200."""
    _forge(stage, priority=200, vips=("10.88.0.200",))


def _forge(stage: Stage, *, priority: int, vips: tuple[str, ...]) -> None:
    client = stage.lan.hosts["client"]
    forger = stage.strike(lambda: Forger(client, priority=priority, vips=vips, interval=0.05))
    stage.defer(forger.close)
    stage.look(3)
    stage.heal(forger.close)
    stage.look(1)


def listen_to_backup(stage: Stage) -> None:
    """No fault at all: for 10 s the backup sends not one SIP packet."""
    sent = stage.strike(lambda: SipSent(stage.lan, stage.new))
    stage.look(10)
    stage.fact("sip_packets_from_backup", sent.close())


def _ip(stage: Stage, node: str) -> Callable[..., None]:
    """iproute2 on a node."""

    def run(*words: str) -> None:
        with stage.lan.hosts[node].entered():
            subprocess.run(["ip", *words], check=True, capture_output=True)

    return run
