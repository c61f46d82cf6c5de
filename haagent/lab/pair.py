"""IO shell: the pair under test: `haagent run` and `sipcore run` on two nodes, from ordinary config files."""

import hashlib
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haagent.control.client import AgentUnreachableError, ControlClient, RefusedError
from haagent.lab import faults
from haagent.lab.errors import LabError
from haagent.lab.namespaces import signal_all, stop, wait_gone
from haagent.lab.topology import NODES, VIP, Lan, address
from haagent.lab.watch import wait_until

DOMAIN = "example.test"
PRIORITY = {"a": 254, "b": 253}
AGENT_CONFIG = """\
node = "{node}"
state_dir = "{folder}/state"
run_dir = "{folder}/agent"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = {priority}
advert_interval = "{advert:g}ms"
preempt = false
vips = {vips}
strategy = "{strategy}"
{allow}
[peer]
local = "{own}"
address = "{other}"
port = 5405
hello = "{hello}"
key_file = "{shared}/peer.key"
[core]
kind = "sipcore"
control = "{folder}/core/control.sock"
[api]
listen = "127.0.0.1:9405"
"""
CORE_CONFIG = """\
node = "{node}"
domains = ["{domain}", "{vip}"]
run_dir = "{folder}/core"
[[listen]]
address = "{vip}"
port = 5060
transport = "udp"
[[listen]]
address = "{vip}"
port = 5060
transport = "tcp"
[auth]
realm = "{domain}"
users_file = "{shared}/users"
secret_file = "{shared}/nonce.key"
[replication]
listen = "{own}:5070"
peers = ["{other}:5070"]
key_file = "{shared}/replication.key"
semi_sync = "on"
{cdr}
"""


@dataclass(frozen=True)
class Settings:
    """What the pair is told. `advert` is in seconds; `users` are (name, password)."""

    strategy: str = "on-master"
    advert: float = 0.1
    users: tuple[tuple[str, str], ...] = ()
    vips: tuple[str, ...] = (VIP,)
    hello: float = 0.0
    """Seconds between two hellos on the second path; 0: none."""
    allow_peer_only: bool = False
    """Advertisements of anybody else are discarded."""
    records: bool = True
    """Call detail records; older versions know nothing of them."""


class Node:
    """One machine of the pair: its two daemons and their control sockets."""

    def __init__(self, name: str, lan: Lan, folder: Path) -> None:
        self.name = name
        self._lan = lan
        self._folder = folder
        self.agent = ControlClient(folder / "agent" / "control.sock", timeout=3)
        self.core = ControlClient(folder / "core" / "control.sock", timeout=3)
        self.wrapper: tuple[str, ...] = ()
        """A command that runs the daemons, say `faketime`."""
        self.python = sys.executable
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start whichever of the two daemons does not run."""
        for name, package in (("core", "sipcore"), ("agent", "haagent")):
            running = self._processes.get(name)
            if running is not None and running.poll() is None:
                continue
            config = self._folder / f"{package}.toml"
            with (self._folder / f"{package}.log").open("ab") as log:
                argv = [*self.wrapper, self.python, "-m", package, "run", str(config)]
                self._processes[name] = self._lan.hosts[self.name].spawn(argv, stdout=log, stderr=log)

    @property
    def records(self) -> Path:
        """The core's call detail records."""
        return self._folder / "cdr.jsonl"

    def agent_status(self) -> dict[str, Any] | None:
        """The agent's status; None while it does not answer."""
        status: dict[str, Any] | None = _ask(self.agent, "/v1/status")
        return status

    def core_status(self) -> dict[str, Any] | None:
        """The SIP core's status; None while it does not answer."""
        status: dict[str, Any] | None = _ask(self.core, "/v1/status")
        return status

    def registered(self) -> set[str]:
        """The users that the core has a contact for."""
        records = _ask(self.core, "/v1/location") or []
        return {user_of(str(record["aor"])) for record in records}

    def dialogs(self) -> int:
        """How many calls the core knows."""
        return len(_ask(self.core, "/v1/dialogs") or [])

    def history(self) -> list[dict[str, Any]]:
        """The role changes that the agent remembers, oldest first."""
        return _ask(self.agent, "/v1/history?last=100") or []

    def is_ready(self) -> bool:
        """Whether both daemons run, know their role, and the core holds what the peer's holds."""
        agent, core = self.agent_status(), self.core_status()
        if agent is None or core is None or agent["role"] not in ("MASTER", "BACKUP"):
            return False
        return bool(core["ready"] and core["synced"] and core["role"] == agent["role"])

    def role(self) -> str | None:
        """What the agent says its role is."""
        status = self.agent_status()
        return None if status is None else status["role"]

    def leads(self) -> bool:
        """Whether its core says that it is MASTER."""
        status = self.core_status()
        return status is not None and status["role"] == "MASTER"

    def core_pids(self) -> list[int]:
        """The SIP core's processes."""
        process = self._processes.get("core")
        return [process.pid] if process is not None and process.poll() is None else []

    def agent_pids(self) -> list[int]:
        """The agent's two processes: guard and control."""
        status, process = self.agent_status(), self._processes.get("agent")
        pids = {process.pid} if process is not None and process.poll() is None else set()
        pids |= {status["pid"], status["guard_pid"]} if status else set()
        return [pid for pid in pids if pid and faults.is_alive(pid)]

    def ended(self) -> list[str]:
        """The daemons that were started and run no more."""
        return [f"{self.name}'s {name}" for name, p in self._processes.items() if p.poll() is not None]

    def reap(self) -> None:
        """Collect daemons that were killed."""
        for process in self._processes.values():
            process.poll()

    def stop(self, *, kill: bool = False) -> None:
        """End both daemons; with `kill` also when they are frozen or have left children."""
        host = self._lan.hosts[self.name]
        if kill:
            signal_all(host.processes(), signal.SIGKILL)
        for process in self._processes.values():
            stop(process)
        self._processes.clear()
        signal_all(host.processes(), signal.SIGKILL)
        wait_gone(host)

    def log_end(self, lines: int = 12) -> str:
        """The last lines of both logs, for an error message."""
        parts = []
        for path in sorted(self._folder.glob("*.log")):
            end = path.read_text(errors="replace").splitlines()[-lines:]
            parts.append("\n".join([f"--- node {self.name}: {path.name}", *end]))
        return "\n".join(parts)


class Pair:
    """Both nodes."""

    def __init__(self, lan: Lan, folder: Path, settings: Settings) -> None:
        self._lan, self._folder = lan, folder
        self.nodes = {name: Node(name, lan, folder / name) for name in NODES}
        write_configs(folder, settings)

    def start(self, *, timeout: float = 20.0) -> None:
        """Start node a, then node b; wait until a is master and b its standby, in sync."""
        self.nodes["a"].start()
        self._wait(lambda: self.nodes["a"].role() == "MASTER", "node a is not master", timeout)
        self.nodes["b"].start()
        self.wait_ready(timeout=timeout)

    def wait_ready(self, *, timeout: float = 20.0) -> None:
        """Wait until there is one master and one standby that holds everything."""
        self._wait(self.is_ready, "the pair is not ready", timeout)

    def is_ready(self) -> bool:
        """Whether one node is master, the other its standby, connected and in sync."""
        if not all(node.is_ready() for node in self.nodes.values()):
            return False
        states = [node.agent_status() for node in self.nodes.values()]
        cores = [node.core_status() for node in self.nodes.values()]
        return (
            {state["role"] for state in states if state} == {"MASTER", "BACKUP"}
            and all(state["peer"]["connected"] for state in states if state)
            and not any(core.get("alone") for core in cores if core and core["role"] == "BACKUP")
        )

    def master(self) -> str:
        """The node that says it is master."""
        found = [name for name, node in self.nodes.items() if node.role() == "MASTER"]
        if len(found) != 1:
            raise LabError(f"there is not one master but {len(found)}: {', '.join(found) or 'none'}")
        return found[0]

    def revive(self, name: str) -> None:
        """Boot a node that lost its power: a new namespace, its daemons started."""
        self.nodes[name].stop(kill=True)
        self._lan.reboot(name)
        self.nodes[name].start()

    def stop(self) -> None:
        """End all four daemons."""
        for node in self.nodes.values():
            node.stop()

    def log_ends(self) -> str:
        """The last lines of all logs."""
        return "\n".join(node.log_end() for node in self.nodes.values())

    def _wait(self, condition: Callable[[], bool], complaint: str, timeout: float) -> None:
        ended: list[str] = []

        def done_or_ended() -> bool:
            ended[:] = [name for node in self.nodes.values() for name in node.ended()]
            return condition() or bool(ended)

        if not wait_until(done_or_ended, timeout, step=0.05):
            raise LabError(f"{complaint} after {timeout:g} s\n{self.log_ends()}")
        if ended:
            raise LabError(f"{complaint}: {', '.join(ended)} ended by itself\n{self.log_ends()}")


def write_configs(folder: Path, settings: Settings) -> None:
    """Write the files of both nodes: configs, keys, users."""
    shared = folder / "shared"
    shared.mkdir(parents=True, exist_ok=True)
    for name in ("peer", "replication", "nonce"):
        key = shared / f"{name}.key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32) + "\n")
    users = [f"{user}:{DOMAIN}:{_ha1(user, password)}\n" for user, password in settings.users]
    (shared / "users").write_text("".join(users))
    (shared / "users").chmod(0o600)
    for name, other in zip(NODES, reversed(NODES), strict=True):
        own = folder / name
        for part in ("agent", "core", "state"):
            (own / part).mkdir(parents=True, exist_ok=True)
        values = {
            "node": name, "folder": own, "shared": shared, "domain": DOMAIN, "vip": VIP,
            "own": address(name, "sync"), "other": address(other, "sync"), "priority": PRIORITY[name],
            "advert": settings.advert * 1000, "strategy": settings.strategy, "vips": _toml(settings.vips),
            "hello": f"{settings.hello * 1000:g}ms" if settings.hello else "off",
            "cdr": f'[cdr]\npath = "{own}/cdr.jsonl"' if settings.records else "",
            "allow": f'allow = ["{address(other)}"]' if settings.allow_peer_only else "",
        }  # fmt: skip
        (own / "haagent.toml").write_text(AGENT_CONFIG.format(**values))
        (own / "sipcore.toml").write_text(CORE_CONFIG.format(**values))


def user_of(aor: str) -> str:
    """`alice` of `sip:alice@example.test`."""
    return aor.partition(":")[2].partition("@")[0] or aor.partition("@")[0]


def _toml(values: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


def _ha1(user: str, password: str) -> str:
    """The digest that htdigest files hold, RFC 7616 section 3.4.2."""
    return hashlib.md5(f"{user}:{DOMAIN}:{password}".encode(), usedforsecurity=False).hexdigest()


def _ask(client: ControlClient, target: str) -> Any:
    try:
        return client.get(target)
    except (AgentUnreachableError, RefusedError):
        return None
