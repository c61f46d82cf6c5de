"""IO shell: two real agents in the laboratory's LAN, and what a neighbour sees of the VIP."""

import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from haagent.control.client import AgentUnreachableError, ControlClient
from haagent.lab.namespaces import Host, stop
from haagent.lab.topology import OWNER, VIP, VIP6, Lan, address

ETH_P_ARP = 0x0806
ASKER = bytes.fromhex("028800000098")
CONFIG = """
node = "{name}"
state_dir = "{base}/state"
run_dir = "{base}/run"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = {priority}
advert_interval = "{advert}"
vips = {vips}
strategy = "{strategy}"
lease = "{lease}"
rules = "{rules}"
{more}
[peer]
local = "{local}"
address = "{peer}"
key_file = "{key}"
[core]
kind = "sipcore"
control = "{base}/core.sock"
"""

PATIENCE = 30.0


class AgentNode:
    """One agent with its plain core."""

    def __init__(self, name: str, host: Host, base: Path) -> None:
        self.name = name
        self.host = host
        self.base = base
        self.config = base / "haagent.toml"
        self.agent: subprocess.Popen[bytes] | None = None
        self.core: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> ControlClient:
        return ControlClient(self.base / "run" / "control.sock", timeout=3.0)

    @property
    def log(self) -> str:
        path = self.base / "agent.log"
        return path.read_text() if path.exists() else ""

    def start_core(self) -> None:
        with (self.base / "core.log").open("ab") as log:
            argv = [sys.executable, "-m", "tests.kit.plain_core", str(self.base / "core.sock")]
            self.core = self.host.spawn(argv, stdout=log, stderr=log)

    def start(self) -> None:
        with (self.base / "agent.log").open("ab") as log:
            argv = [sys.executable, "-m", "haagent", "run", str(self.config)]
            self.agent = self.host.spawn(argv, stdout=log, stderr=log)

    def argv(self, *command: str) -> list[str]:
        """The command line of an operator's command."""
        return [sys.executable, "-m", "haagent", *command, "--config", str(self.config)]

    def haagent(self, *command: str) -> tuple[int, str]:
        """Its exit code, and what it said."""
        done = subprocess.run(self.argv(*command), capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def forget(self) -> None:
        """Lose what the agent keeps on disk: its epoch and its history."""
        shutil.rmtree(self.base / "state")

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get("/v1/status")
        return answer

    def role(self) -> str:
        try:
            return str(self.status()["role"])
        except AgentUnreachableError:
            return ""

    def history(self) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self.client.get("/v1/history?last=50")
        return answer

    def told(self) -> list[dict[str, Any]]:
        """Every role that the core was told."""
        lines = (self.base / "core.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def kill(self, number: signal.Signals, *, guard: bool = True, control: bool = True) -> None:
        pids = self.pids()
        for wanted, pid in ((control, pids[0]), (guard, pids[1])):
            if wanted:
                os.kill(pid, number)

    def pids(self) -> tuple[int, int]:
        status = self.status()
        return status["pid"], status["guard_pid"]

    def addresses(self) -> str:
        argv = ["ip", "-o", "addr", "show", "dev", "eth0"]
        with self.host.entered():
            return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def shell(self, *argv: str) -> str:
        with self.host.entered():
            return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


class Pair:
    """Nodes a and b in a LAN with a client."""

    def __init__(self, lan: Lan, base: Path, **settings: Any) -> None:
        self.lan = lan
        key = base / "peer.key"
        key.write_text("0123456789abcdef0123456789abcdef\n")
        key.chmod(0o600)
        self.nodes = {}
        for name, other, priority in (("a", "b", 254), ("b", "a", 253)):
            directory = base / name
            directory.mkdir()
            node = AgentNode(name, lan.hosts[name], directory)
            values = {
                "advert": "100ms",
                "strategy": "on-master",
                "lease": "90ms",
                "rules": "nftables",
                "more": "",
                "priority": priority,
                "vips": json.dumps([VIP, VIP6]),
                "local": address(name, "sync"),
                "peer": address(other, "sync"),
                **settings,
            }
            node.config.write_text(CONFIG.format(name=name, base=directory, key=key, **values))
            self.nodes[name] = node
        self.a, self.b = self.nodes["a"], self.nodes["b"]

    def start(self) -> None:
        """Start both; a becomes the master."""
        for node in self.nodes.values():
            node.start_core()
        self.a.start()
        self.until(lambda: self.a.role() == "MASTER", 30)
        self.b.start()
        self.until(lambda: self.settled("a"), 30)

    def settled(self, master: str) -> bool:
        """One master, one backup, both peers connected, both cores known."""
        for name, node in self.nodes.items():
            try:
                status = node.status()
            except AgentUnreachableError:
                return False
            wanted = "MASTER" if name == master else "BACKUP"
            if status["role"] != wanted or not status["peer"]["connected"] or not status["core"]["ready"]:
                return False
        return True

    def until(self, true: Callable[[], bool], seconds: float) -> float:
        """Wait for it; seconds that it took. A busy machine gets more time: a start alone takes 8 s there."""
        start, seconds = time.monotonic(), max(seconds, PATIENCE)
        while not true():
            if time.monotonic() - start > seconds:
                logs = "\n".join(f"--- {node.name}\n{node.log}" for node in self.nodes.values())
                raise AssertionError(f"not within {seconds} s\n{logs}")
            time.sleep(0.005)
        return time.monotonic() - start

    def owners(self, seconds: float = 0.06) -> set[str]:
        """Which nodes answer ARP for the VIP."""
        with self.watch() as arp:
            return {host for _t, host in arp.collect(seconds)}

    @contextmanager
    def watch(self) -> Iterator["ArpWatch"]:
        with self.lan.hosts["client"].entered():
            watch = ArpWatch()
        try:
            yield watch
        finally:
            watch.close()

    def stop(self) -> None:
        for node in self.nodes.values():
            for process in (node.agent, node.core):
                if process is not None:
                    stop(process)
            for pid in node.host.processes():
                os.kill(pid, signal.SIGKILL)


class ArpWatch:
    """Asks for the VIP's MAC from a MAC that nobody uses."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
        self._socket.bind(("eth0", ETH_P_ARP))
        self._vip = socket.inet_aton(VIP)

    def ask(self) -> None:
        header = b"\xff" * 6 + ASKER + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 1)
        self._socket.send(header + ASKER + bytes(4) + bytes(6) + self._vip)

    def collect(self, seconds: float, every: float = 0.005) -> list[tuple[float, str]]:
        """Ask again and again; (time, node) of each answer to our question."""
        found: list[tuple[float, str]] = []
        end = time.monotonic() + seconds
        due = 0.0
        while (now := time.monotonic()) < end:
            if now >= due:
                self.ask()
                due = now + every
            if not select.select([self._socket], [], [], min(due, end) - now if due > now else 0)[0]:
                continue
            frame = self._socket.recv(2048)
            if frame[20:22] == b"\x00\x02" and frame[28:32] == self._vip and frame[32:38] == ASKER:
                found.append((time.monotonic(), OWNER.get(frame[6:12], frame[6:12].hex())))
        return found

    def close(self) -> None:
        self._socket.close()
