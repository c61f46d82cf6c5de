"""What the SIP core says to systemd: ready, its role, a sign of life while its loop comes round, the stop."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.notify_socket import NotifySocket
from tests.kit.sip_live import CoreProcess

WATCHDOG = 1.0


@pytest.fixture(name="systemd")
def _systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path, watchdog=WATCHDOG) as systemd:
        yield systemd


@pytest.fixture(name="core")
def _core(tmp_path: Path, systemd: NotifySocket) -> Iterator[CoreProcess]:
    def as_service(argv: list[str], **more: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["env", *systemd.environment, *argv], **more)

    with CoreProcess(tmp_path, standalone=False, spawn=as_service) as core:
        systemd.wait_for("READY=1")
        yield core


def test_it_says_its_role_and_why(core: CoreProcess, systemd: NotifySocket) -> None:
    core.role("MASTER", 7)
    assert systemd.wait_for("STATUS=MASTER") == "STATUS=MASTER, epoch 7: the test says so"


def test_it_gives_a_sign_of_life_until_its_loop_hangs(core: CoreProcess, systemd: NotifySocket) -> None:
    assert "WATCHDOG=1" in systemd.collect(1.2 * WATCHDOG)
    assert core.process is not None
    os.kill(core.process.pid, signal.SIGSTOP)
    systemd.drain()
    assert systemd.collect(1.2 * WATCHDOG) == []
    os.kill(core.process.pid, signal.SIGCONT)
    systemd.lines.clear()
    systemd.wait_for("WATCHDOG=1")


def test_it_says_that_it_stops(core: CoreProcess, systemd: NotifySocket) -> None:
    assert core.process is not None
    core.process.terminate()
    systemd.wait_for("STOPPING=1")
