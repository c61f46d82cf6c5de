"""IO shell: what can happen to a node: power, link, processes. Each returns the moment of the fault."""

import os
import signal
import time
from collections.abc import Sequence

from haagent.lab.namespaces import signal_all, wait_gone
from haagent.lab.topology import Lan


def power(lan: Lan, node: str) -> float:
    """Cut a node's power: in one instant its processes stand still and its cables are dead.

    The processes are stopped before the cables, and killed only after them, so that no last word (FIN, RST,
    priority 0) gets out, as none would from a machine without power. The second path goes first, too.
    """
    host = lan.hosts[node]
    pids = host.processes()
    at = time.monotonic()
    signal_all(pids, signal.SIGSTOP)
    lan.unplug(node, "sync", "lan")
    signal_all(host.processes(), signal.SIGKILL)
    wait_gone(host)
    return at


def link(lan: Lan, node: str) -> float:
    """Pull a node's cable to the LAN; the second path stays."""
    at = time.monotonic()
    lan.unplug(node, "lan")
    return at


def kill(pids: Sequence[int]) -> float:
    """Kill processes in one go."""
    at = time.monotonic()
    signal_all(pids, signal.SIGKILL)
    return at


def freeze(pids: Sequence[int]) -> float:
    """Stop processes without ending them: what a paused virtual machine or a swapping one looks like."""
    at = time.monotonic()
    signal_all(pids, signal.SIGSTOP)
    return at


def thaw(pids: Sequence[int]) -> float:
    """Let stopped processes go on."""
    at = time.monotonic()
    signal_all(pids, signal.SIGCONT)
    return at


def is_alive(pid: int) -> bool:
    """Whether a process still exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
