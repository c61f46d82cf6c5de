"""The unit files of `haagent systemd`, judged by systemd's own tools; what the agent says to systemd."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import Lan
from tests.integration.haagent.pair import AgentNode, Pair
from tests.kit.notify_socket import NotifySocket

MOST_EXPOSURE = {"haagent.service": 3.0, "sipcore.service": 1.5}
WATCHDOG = 1.0


def haagent(*argv: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "haagent", "systemd", *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """The root of an image, with programs in /opt/haagent/bin."""
    bin_dir = tmp_path / "opt/haagent/bin"
    bin_dir.mkdir(parents=True)
    for name in ("haagent", "sipcore"):
        (bin_dir / name).touch(0o755)
    done = haagent("install", "--root", tmp_path, "--bin", bin_dir)
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.systemd
@pytest.mark.parametrize("unit", MOST_EXPOSURE)
def test_the_services_are_exposed_as_little_as_promised(root: Path, unit: str) -> None:
    path = root / "etc/systemd/system" / unit
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    found = re.search(rf"exposure level for {re.escape(unit)}: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) <= MOST_EXPOSURE[unit], done.stdout


@pytest.mark.systemd
def test_systemd_finds_nothing_to_complain_of_in_the_units(root: Path) -> None:
    units = sorted(map(str, (root / "etc/systemd/system").glob("*.service")))
    argv = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "haagent" in line or "sipcore" in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.systemd
def test_the_agent_reaches_the_core_as_a_member_of_its_group(root: Path) -> None:
    groups = dict(line.split(":", 1) for line in (root / "etc/group").read_text().splitlines())
    assert groups["sipcore"].endswith(":haagent")
    passwd = (root / "etc/passwd").read_text()
    assert "/usr/sbin/nologin" in passwd
    assert "root" not in passwd


@pytest.mark.systemd
def test_keys_are_for_root_and_the_service_alone(root: Path) -> None:
    key = root / "etc/haagent/peer.key"
    key.write_text("secret")
    key.chmod(0o644)
    haagent("install", "--root", root, "--bin", root / "opt/haagent/bin")
    groups = dict(line.split(":")[0:3:2] for line in (root / "etc/group").read_text().splitlines())
    found = key.stat()
    assert (found.st_mode & 0o777, found.st_uid, str(found.st_gid)) == (0o640, 0, groups["haagent"])


@pytest.mark.systemd
def test_a_second_install_writes_nothing_and_remove_takes_all_away(root: Path) -> None:
    bin_dir = root / "opt/haagent/bin"
    assert "nothing to do" in haagent("install", "--root", root, "--bin", bin_dir).stdout
    assert haagent("remove", "--root", root, "--bin", bin_dir).stdout.count("removed: ") == 4
    assert not list(root.glob("etc/systemd/system/*"))


def test_programs_that_the_services_could_not_see_are_refused() -> None:
    done = haagent("show", "--bin", "/home/me/.venv/bin")
    assert done.returncode == 2
    assert "/home/me/.venv/bin" in done.stderr
    assert "ProtectHome" in done.stderr


@pytest.fixture(name="pair")
def _pair(tmp_path: Path) -> Iterator[Pair]:
    with Lan() as lan:
        pair = Pair(lan, tmp_path)
        yield pair
        pair.stop()


@pytest.fixture(name="systemd")
def _systemd(pair: Pair, tmp_path: Path) -> Iterator[NotifySocket]:
    """Node a's agent as a service, ready."""
    with NotifySocket(tmp_path, watchdog=WATCHDOG) as systemd:
        pair.a.start_core()
        with (pair.a.base / "agent.log").open("ab") as log:
            argv = ["env", *systemd.environment, sys.executable, "-m", "haagent", "run", str(pair.a.config)]
            pair.a.agent = pair.a.host.spawn(argv, stdout=log, stderr=log)
        systemd.wait_for("READY=1")
        yield systemd


def signs(systemd: NotifySocket, seconds: float) -> int:
    systemd.drain()
    return systemd.collect(seconds).count("WATCHDOG=1")


def hang(node: AgentNode, *, guard: bool) -> int:
    """Stop the guard, or control; its pid."""
    pid = node.pids()[guard]
    os.kill(pid, signal.SIGSTOP)
    return pid


@pytest.mark.root
def test_systemd_is_told_role_reason_and_each_stage(pair: Pair, systemd: NotifySocket) -> None:
    assert "MASTER, epoch 1: " in systemd.wait_for("STATUS=MASTER")
    assert pair.a.agent is not None
    pair.a.agent.terminate()
    systemd.wait_for("STOPPING=1")


@pytest.mark.root
@pytest.mark.parametrize("guard", [True, False], ids=["guard", "control"])
def test_the_sign_of_life_stops_when_one_half_hangs(pair: Pair, systemd: NotifySocket, guard: bool) -> None:
    systemd.wait_for("WATCHDOG=1")
    pid = hang(pair.a, guard=guard)
    signs(systemd, WATCHDOG / 2)  # what was reported last still counts so long
    assert signs(systemd, 1.5 * WATCHDOG) == 0
    os.kill(pid, signal.SIGCONT)
    systemd.lines.clear()
    systemd.wait_for("WATCHDOG=1")
