"""IO shell: a pair with a hundred virtual routers, of our agents (no core) or of keepalived."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bench.keepalived import KEEPALIVED
from haagent.control.client import AgentUnreachableError, ControlClient
from haagent.lab.errors import LabError
from haagent.lab.namespaces import signal_all, stop
from haagent.lab.topology import NODES, Lan, address
from haagent.lab.watch import wait_until

COUNT = 100
VIPS = tuple(f"10.88.0.{100 + index}" for index in range(COUNT))
PRIORITY = {"a": 254, "b": 253}
READY = 40.0
ROUTER = """[[virtual_router]]
name = "r{index}"
vrid = {vrid}
interface = "eth0"
priority = {priority}
advert_interval = "100ms"
preempt = false
vips = ["{vip}"]
"""
AGENT = """node = "{node}"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
{routers}
[peer]
local = "{own}"
address = "{other}"
key_file = "{key}"
"""
INSTANCE = """vrrp_instance r{index} {{
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    advert_int 0.1
    virtual_ipaddress {{
        {vip}/32 dev eth0
    }}
}}
"""
GLOBAL = """global_defs {
    vrrp_version 3
    vrrp_rt_priority 50
    vrrp_rlimit_rttime 1000000
    vrrp_no_swap
}
"""


class Many(Protocol):
    """What the measurement asks."""

    def start(self) -> None:
        """a, then b; until a is master of all."""

    def agent(self, node: str) -> list[int]:
        """The agent's processes."""

    def takeovers(self) -> int:
        """How often any virtual router has become master on either node."""

    def stop(self) -> None:
        """End both."""


class ManyOurs:
    """One agent on each node."""

    def __init__(self, lan: Lan, folder: Path) -> None:
        self._lan, self._folder = lan, folder
        self._processes: list[subprocess.Popen[bytes]] = []
        key = folder / "peer.key"
        key.touch(mode=0o600)
        key.write_text("0123456789abcdef0123456789abcdef\n")
        for node, other in zip(NODES, reversed(NODES), strict=True):
            (folder / node).mkdir()
            text = AGENT.format(
                node=node, folder=folder / node, key=key, routers=_many(ROUTER, node),
                own=address(node, "sync"), other=address(other, "sync"),
            )  # fmt: skip
            (folder / node / "haagent.toml").write_text(text)

    def start(self) -> None:
        """Each when the one before it has a role."""
        for node, role in zip(NODES, ("MASTER", "BACKUP"), strict=True):
            argv = [sys.executable, "-m", "haagent", "run", str(self._folder / node / "haagent.toml")]
            with (self._folder / node / "log").open("wb") as log:
                self._processes.append(self._lan.hosts[node].spawn(argv, stdout=log, stderr=log))
            if not wait_until(lambda n=node, r=role: self._status(n).get("role") == r, READY):  # type: ignore[misc]
                text = (self._folder / node / "log").read_text(errors="replace")[-1500:]
                raise LabError(f"node {node} with {COUNT} virtual routers is not {role}\n{text}")

    def agent(self, node: str) -> list[int]:
        """Guard and control."""
        status = self._status(node)
        return [int(str(status["pid"])), int(str(status["guard_pid"]))]

    def takeovers(self) -> int:
        """All routers of a node move together: one record."""
        return sum(record["role"] == "MASTER" for node in NODES for record in self._history(node))

    def stop(self) -> None:
        """As systemd does."""
        for process in self._processes:
            stop(process, grace=10)

    def _status(self, node: str) -> dict[str, object]:
        try:
            found: dict[str, object] = self._client(node).get("/v1/status")
        except AgentUnreachableError:
            return {}
        return found

    def _history(self, node: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = self._client(node).get("/v1/history?last=1000")
        return found

    def _client(self, node: str) -> ControlClient:
        return ControlClient(self._folder / node / "run" / "control.sock")


class ManyKeepalived:
    """One keepalived on each node."""

    def __init__(self, lan: Lan, folder: Path) -> None:
        self._lan, self._folder = lan, folder
        for node in NODES:
            (folder / node).mkdir()
            (folder / node / "keepalived.conf").write_text(GLOBAL + _many(INSTANCE, node))

    def start(self) -> None:
        """a, and when it is master of all, b."""
        for node, state in zip(NODES, ("MASTER", "BACKUP"), strict=True):
            folder = self._folder / node
            argv = [KEEPALIVED, "-n", "-l", "-D", "-P", "-f", str(folder / "keepalived.conf")]
            argv += ["-p", str(folder / "pid"), "-r", str(folder / "vrrp.pid")]
            with (folder / "log").open("wb") as log:
                self._lan.hosts[node].spawn(argv, stdout=log, stderr=log)
            said = f"Entering {state} STATE"
            if not wait_until(lambda n=node, s=said: self._log(n).count(s) >= COUNT, READY):  # type: ignore[misc]
                raise LabError(f"keepalived on {node} is not {state} of all\n{self._log(node)[-1500:]}")

    def agent(self, node: str) -> list[int]:
        """Parent and child."""
        return self._lan.hosts[node].processes()

    def takeovers(self) -> int:
        """Of each instance."""
        return sum(self._log(node).count("Entering MASTER STATE") for node in NODES)

    def stop(self) -> None:
        """The laboratory goes with them."""
        for node in NODES:
            signal_all(self._lan.hosts[node].processes(), signal.SIGKILL)

    def _log(self, node: str) -> str:
        return (self._folder / node / "log").read_text(errors="replace")


MANY: dict[str, Callable[[Lan, Path], Many]] = {"haagent": ManyOurs, "keepalived": ManyKeepalived}


def _many(text: str, node: str) -> str:
    rows = enumerate(VIPS)
    return "".join(text.format(index=i, vrid=i + 1, priority=PRIORITY[node], vip=vip) for i, vip in rows)
