"""IO shell: what an operator does, under calls: planned switchovers, reloads."""

import signal
import subprocess

from bench.faults.stage import Stage
from haagent.control.client import AgentUnreachableError, RefusedError
from haagent.lab import faults
from haagent.lab.namespaces import signal_all
from haagent.lab.topology import VIP

SWITCHOVERS = 10
SECOND_VIP = "10.88.0.101"


def switch_over(stage: Stage) -> None:
    """`haagent switchover`, ten times in a row under calls."""
    stage.strike(lambda: None)
    node, other, refused = stage.old, stage.new, 0
    for _ in range(SWITCHOVERS):
        try:
            stage.side.switchover(node)
        except (RefusedError, AgentUnreachableError):
            refused += 1
            stage.look(0.3)
            continue
        _wait_for(stage, other)
        node, other = other, node
    stage.fact("refused", refused)


def reload(stage: Stage) -> None:
    """A live master, then its backup, get one more virtual IP and the priorities the other way round."""
    stage.strike(lambda: None)
    for node in (stage.old, stage.new):
        _rewrite(stage, node)
        stage.ours.node(node).agent.post("/v1/reload")
        stage.look(0.7)
    stage.fact("second_vip_on_master", _has(stage, stage.old, SECOND_VIP))
    stage.fact("second_vip_on_backup", _has(stage, stage.new, SECOND_VIP))
    for node in (stage.new, stage.old):
        _rewrite(stage, node, back=True)
    stage.heal()
    for node in (stage.new, stage.old):
        stage.ours.node(node).agent.post("/v1/reload")
        stage.look(0.7)
    stage.fact("second_vip_left_behind", _has(stage, stage.old, SECOND_VIP))


def reload_in_election(stage: Stage) -> None:
    """The master loses its power; the backup gets SIGHUP with other priorities and VIPs all the time."""
    stage.touched |= {stage.old, stage.new}
    control = (stage.ours.node(stage.new).agent_status() or {})["pid"]
    stage.defer(_rewrite, stage, stage.new, back=True)
    stage.strike(lambda: faults.power(stage.lan, stage.old))
    for index in range(10):
        _rewrite(stage, stage.new, back=bool(index % 2))
        signal_all([control], signal.SIGHUP)
        stage.look(0.05)
    stage.wait_move(6)
    stage.look(0.5)


def _rewrite(stage: Stage, node: str, *, back: bool = False) -> None:
    """Another priority and a second virtual IP, or those that were before."""
    path = stage.ours.folder / node / "haagent.toml"
    text = path.read_text()
    pairs = [
        (f'vips = ["{VIP}"]', f'vips = ["{VIP}", "{SECOND_VIP}"]'),
        ("priority = 254", "priority = 153"),
        ("priority = 253", "priority = 154"),
    ]
    for before, after in pairs:
        text = text.replace(after, before) if back else text.replace(before, after)
    path.write_text(text)


def _has(stage: Stage, node: str, address: str) -> bool:
    with stage.lan.hosts[node].entered():
        shown = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    return f" {address}/" in shown


def _wait_for(stage: Stage, node: str) -> None:
    stage.until(lambda: stage.answers(node), 5)
    stage.until(lambda: stage.side.ready("a") and stage.side.ready("b"), 5)
