"""IO shell: keepalived as a pair in the laboratory, with our priorities and an echo behind the VIP."""

import signal
import subprocess
import sys
from pathlib import Path

from bench.contender import Settings
from haagent.lab.namespaces import signal_all, stop
from haagent.lab.topology import NODES, VIP, Lan

KEEPALIVED = "/usr/sbin/keepalived"
PRIORITY = {"a": 254, "b": 253}
# Real-time class and locked memory are not keepalived's defaults: it gets what our agent takes. Its default
# limit of 10 ms of real-time processor time kills it at some takeovers on a slow machine: it gets a second.
CONFIG = """
global_defs {{
    router_id {node}
    vrrp_version 3
    vrrp_rt_priority 50
    vrrp_rlimit_rttime 1000000
    vrrp_no_swap
    script_user root
    enable_script_security
}}
vrrp_script service {{
    script "/bin/sh {folder}/check.sh"
    interval 1
    timeout 1
    fall {fall}
    rise 1
}}
vrrp_instance sip {{
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int {advert:g}
    virtual_ipaddress {{
        {vip}/32 dev eth0
    }}
    track_script {{
        service
    }}
}}
"""
ECHO = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND: answers must come from the VIP
s.bind(("10.88.0.100", 5060))
while True:
    data, peer = s.recvfrom(2048)
    try:
        s.sendto(data, peer)
    except OSError:  # the VIP has just gone
        pass
"""


class Keepalived:
    """Two keepalived daemons and two echo services."""

    name = "keepalived"

    def __init__(self, lan: Lan, folder: Path, settings: Settings) -> None:
        self._lan, self._folder, self._settings = lan, folder, settings
        self._daemon: dict[str, subprocess.Popen[bytes]] = {}
        self._echo: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, node: str) -> None:
        """Start the service and the daemon of a node."""
        folder = self._folder / node
        folder.mkdir(exist_ok=True)
        host = self._lan.hosts[node]
        self._echo[node] = host.spawn([sys.executable, "-c", ECHO])
        (folder / "check.sh").write_text(f"kill -0 {self._echo[node].pid}\n")
        config = folder / "keepalived.conf"
        settings = self._settings
        config.write_text(
            CONFIG.format(
                node=node,
                folder=folder,
                fall=settings.fall,
                advert=settings.advert,
                vip=VIP,
                priority=PRIORITY[node],
            )
        )
        log = (folder / "keepalived.log").open("ab")
        argv = [KEEPALIVED, "-n", "-l", "-D", "-P", "-f", str(config)]
        argv += ["-p", str(folder / "pid"), "-r", str(folder / "vrrp.pid")]
        # A killed daemon's child may still be a zombie, which keepalived takes for a running daemon.
        (folder / "pid").unlink(missing_ok=True)
        (folder / "vrrp.pid").unlink(missing_ok=True)
        with log:
            self._daemon[node] = host.spawn(argv, stdout=log, stderr=log)

    def ready(self, node: str) -> bool:
        """keepalived says in its log when it is in its state."""
        log = self._folder / node / "keepalived.log"
        started = log.read_text(errors="replace").rpartition("Starting Keepalived")[2]
        return "Entering BACKUP STATE" in started or "Entering MASTER STATE" in started

    def agent(self, node: str) -> list[int]:
        """The daemon and its VRRP child."""
        echo = self._echo[node].pid
        return [pid for pid in self._lan.hosts[node].processes() if pid != echo]

    def core(self, node: str) -> list[int]:
        """The echo service."""
        return [self._echo[node].pid]

    def reap(self, node: str) -> None:
        """Take a killed service out of the process table: `kill -0` is fooled by a zombie."""
        self._echo[node].wait(2)

    def reload(self, node: str) -> None:
        """Two less, or what it was before; SIGHUP."""
        path = self._folder / node / "keepalived.conf"
        text = path.read_text()
        was, other = (f"priority {PRIORITY[node] - less}" for less in (0, 2))
        path.write_text(text.replace(was, other) if was in text else text.replace(other, was))
        self._daemon[node].send_signal(signal.SIGHUP)

    def takeovers(self, node: str) -> int:
        """From its log, which is one for all its starts."""
        log = self._folder / node / "keepalived.log"
        return log.read_text(errors="replace").count("Entering MASTER STATE") if log.exists() else 0

    def switchover(self, node: str) -> None:
        """keepalived has no such command: its planned move is the end of the daemon."""
        self._daemon[node].terminate()

    def stop(self, node: str) -> None:
        """End a node's processes, also when they were killed or frozen."""
        signal_all(self._lan.hosts[node].processes(), signal.SIGKILL)
        for process in (self._daemon.pop(node, None), self._echo.pop(node, None)):
            if process is not None:
                stop(process)

    def stop_all(self) -> None:
        """End both nodes."""
        for node in NODES:
            self.stop(node)
