"""IO shell: faults of a machine and its processes: power, kills, freezes, clocks, memory, files, disk."""

import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from bench.faults.proc import open_files, resident_mb, virtual_bytes
from bench.faults.stage import Stage
from haagent.lab import faults
from haagent.lab.errors import LabError
from haagent.lab.namespaces import signal_all
from haagent.lab.watch import wait_until

PATIENCE = 6.0  # seconds until the other node answers, for those who are slow
HOGS = 8
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
HOUR = 3600


def kill_agent(stage: Stage) -> None:
    """kill -9 of the master's agent, all its processes; the core keeps running."""
    pids = stage.side.agent(stage.old)
    stage.strike(lambda: faults.kill(pids))
    stage.wait_move(PATIENCE)
    stage.look(0.5)


def kill_core(stage: Stage) -> None:
    """kill -9 of the master's core; the agent keeps running."""
    pids = stage.side.core(stage.old)

    def deed() -> None:
        faults.kill(pids)
        stage.side.reap(stage.old)

    stage.strike(deed)
    stage.wait_move(PATIENCE)
    stage.look(0.5)


def cut_power(stage: Stage) -> None:
    """The master loses its power."""
    stage.touched.add(stage.old)
    stage.strike(lambda: faults.power(stage.lan, stage.old))
    stage.wait_move(PATIENCE)
    stage.look(0.5)


def freeze_agent(stage: Stage) -> None:
    """SIGSTOP of the master's agent for 2 s."""
    _freeze(stage, stage.side.agent(stage.old), 2.0)


def freeze_machine(stage: Stage) -> None:
    """SIGSTOP of all that runs on the master for 10 s, as a paused virtual machine."""
    _freeze(stage, stage.lan.hosts[stage.old].processes(), 10.0)


def freeze_backup(stage: Stage) -> None:
    """SIGSTOP of all that runs on the backup for 10 s."""
    core = stage.ours.node(stage.old).core_pids()[0]
    before = resident_mb(core)
    _freeze(stage, stage.lan.hosts[stage.new].processes(), 10.0)
    stage.fact("master_core_grew_by_mb", resident_mb(core) - before)
    started = time.monotonic()
    in_sync = stage.until(stage.ours.pair.is_ready, 8)
    stage.fact("seconds_until_in_sync", time.monotonic() - started if in_sync else 99)


def _freeze(stage: Stage, pids: list[int], seconds: float) -> None:
    stage.defer(signal_all, pids, signal.SIGCONT)
    stage.strike(lambda: faults.freeze(pids))
    stage.look(seconds)
    stage.heal(lambda: faults.thaw(pids))
    stage.look(1.5)


def start_together(stage: Stage) -> None:
    """Both nodes boot at once, three times."""
    stage.look(0.3)
    longest = 0.0
    for _ in range(3):
        for node in ("a", "b"):
            stage.side.stop(node)
        begin = time.monotonic()
        for node in ("a", "b"):
            stage.side.start(node)
        stage.history.marks.setdefault("fault", begin)
        served = wait_until(lambda: stage.answers("a") or stage.answers("b"), 20)
        longest = max(longest, time.monotonic() - begin if served else 99)
        wait_until(lambda: stage.side.ready("a") and stage.side.ready("b"), 20)
    stage.fact("slowest_start_s", longest)
    stage.look(1.0)


def restart_old_master(stage: Stage) -> None:
    """A dead master boots again beside the node that serves now."""
    faults.power(stage.lan, stage.old)
    stage.until(lambda: stage.answers(stage.new), PATIENCE)
    stage.side.stop(stage.old)
    stage.lan.reboot(stage.old)
    stage.old, stage.new = stage.new, stage.old
    stage.history.old = stage.old
    stage.strike(lambda: stage.side.start(stage.new))
    stage.until(lambda: stage.side.ready(stage.new), 15)
    stage.look(1.0)


def starve(stage: Stage) -> None:
    """Eight busy loops on the machine that both nodes share, for 8 s."""
    hogs = []

    def deed() -> None:
        for _ in range(HOGS):
            hogs.append(subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True))

    def end() -> None:
        for hog in hogs:
            hog.kill()
            hog.wait()
        hogs.clear()

    stage.defer(end)
    stage.strike(deed)
    stage.look(8)
    stage.heal(end)
    stage.look(1)


def jump_clock(stage: Stage) -> None:
    """The master's wall clock jumps an hour ahead, then an hour back."""
    clock = _wrapped(stage)
    clock.write_text("+0\n")
    stage.strike(lambda: clock.write_text(f"+{HOUR}\n"))
    stage.look(3)
    ahead = stage.ours.node(stage.old).registered()
    clock.write_text(f"-{HOUR}\n")
    stage.look(3)
    back = stage.ours.node(stage.old).registered()
    stage.heal(lambda: clock.write_text("+0\n"))
    stage.fact("contacts_that_went", len(ahead ^ back))
    stage.fact("expiry_differs_by_s", _expiry_difference(stage))
    stage.look(0.5)


def _wrapped(stage: Stage) -> Path:
    """Have a master whose wall clock a file decides; the monotonic clock is the kernel's."""
    if not FAKETIME.exists():
        raise LabError(f"{FAKETIME} is missing: install Debian's package faketime")
    node, folder = stage.ours.node(stage.new), stage.ours.folder
    clock = folder / "clock"
    clock.write_text("+0\n")
    preload = [f"LD_PRELOAD={FAKETIME}", f"FAKETIME_TIMESTAMP_FILE={clock}", "FAKETIME_NO_CACHE=1"]
    node.wrapper = ("env", *preload, "DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_RESET=1")
    stage.defer(setattr, node, "wrapper", ())
    stage.touched.add(stage.new)
    stage.recast()
    return clock


def _expiry_difference(stage: Stage) -> float:
    """The greatest difference of a contact's remaining time between the nodes, in seconds."""
    left: list[dict[str, float]] = []
    for node in ("a", "b"):
        rows = stage.ours.node(node).core.get("/v1/location")
        left.append({row["contact"]: float(row["expires"]) for row in rows})
    common = left[0].keys() & left[1].keys()
    return max((abs(left[0][uri] - left[1][uri]) for uri in common), default=99.0)


def fill_disk(stage: Stage) -> None:
    """The state directory of both nodes is a full tmpfs of 64 KiB; then the core dies."""
    for node in (stage.new, stage.old):
        state = stage.ours.folder / node / "state"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(state)], check=True, capture_output=True
        )
        stage.defer(_unmount, state)
        with suppress(OSError), (state / "filler").open("wb") as file:
            while True:
                file.write(bytes(1024))
                file.flush()
    kill_core(stage)
    for node in ("a", "b"):
        epoch = stage.ours.folder / node / "state" / "epoch"
        stage.fact(f"epoch_of_{node}_is_torn", epoch.exists() and not epoch.read_text().strip().isdigit())


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


def exhaust_files(stage: Stage) -> None:
    """Agent and core of the master may have four more files, and get 100 connections."""
    node = stage.ours.node(stage.old)
    pids = [*node.agent_pids(), *node.core_pids()]
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids}
    files = {pid: open_files(pid) for pid in pids}
    guests: list[socket.socket] = []

    def deed() -> None:
        for pid in pids:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (files[pid] + 4, limits[pid][1]))
        for path in ("agent", "core"):
            for _ in range(100):
                guest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                guests.append(guest)
                guest.setblocking(False)
                with suppress(OSError):
                    guest.connect(str(stage.ours.folder / stage.old / path / "control.sock"))

    def end() -> None:
        for guest in guests:
            guest.close()
        for pid in pids:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits[pid])

    stage.defer(end)
    stage.strike(deed)
    stage.look(4)
    stage.heal(end)
    recovered = stage.until(lambda: node.role() is not None and node.core_status() is not None, 5)
    stage.fact("control_sockets_answer_again", recovered)
    stage.look(0.5)


def limit_memory(stage: Stage) -> None:
    """The master's core may not get one more page of memory."""
    pid = stage.ours.node(stage.old).core_pids()[0]
    size = virtual_bytes(pid)
    limits = resource.prlimit(pid, resource.RLIMIT_AS)
    stage.touched.add(stage.old)

    def end() -> None:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, limits)

    stage.defer(end)
    stage.strike(lambda: resource.prlimit(pid, resource.RLIMIT_AS, (size, limits[1])))
    stage.look(5)
    stage.heal(end)
    stage.look(0.5)
