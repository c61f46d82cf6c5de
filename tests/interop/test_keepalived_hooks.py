"""The same life, once under keepalived and once under haagent: scripts and event streams hear the same."""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from haagent.lab.namespaces import Host
from haagent.lab.topology import Lan
from haagent.lab.watch import wait_until
from tests.kit.agent import Agent
from tests.kit.keepalived import Keepalived

pytestmark = [pytest.mark.root, pytest.mark.interop]

KEEPALIVED = """
global_defs {{ script_user root
vrrp_notify_fifo {folder}/fifo
}}
vrrp_sync_group a {{ group {{ sip }}
notify {folder}/notify.sh
}}
"""
HAAGENT = """
[hooks]
user = "root"
fifo = "{folder}/fifo"
[[hook]]
name = "all"
command = ["{folder}/notify.sh"]
of = "both"
"""
MASTER = "INSTANCE sip MASTER 150"


def keepalived(host: Host, folder: Path) -> Keepalived:
    options = f"notify {folder}/notify.sh"
    return Keepalived(
        host, priority=150, interval=0.2, options=options, more=KEEPALIVED.format(folder=folder)
    )


def haagent(host: Host, folder: Path) -> Agent:
    extra = HAAGENT.format(folder=folder)
    return Agent(host, folder / "agent", priority=150, interval=0.2, preempt=True, extra=extra)


def life(
    lan: Lan, folder: Path, start: Callable[[Host, Path], AbstractContextManager[object]]
) -> tuple[list[str], list[str]]:
    """Backup, master, fault, backup, master, stop: what the script and the stream were told."""
    folder.mkdir()
    script = folder / "notify.sh"
    script.write_text(f'#!/bin/sh\necho "$@" >> {folder}/told\n')
    script.chmod(0o755)
    told = folder / "told"
    os.mkfifo(folder / "fifo")
    fifo = os.open(folder / "fifo", os.O_RDWR | os.O_NONBLOCK)  # kept open: what was written stays

    def heard(count: int) -> bool:
        return told.exists() and told.read_text().splitlines().count(MASTER) == count

    def link(state: str) -> None:
        with lan.hosts["a"].entered():
            subprocess.run(["ip", "link", "set", "eth0", state], check=True)

    with start(lan.hosts["a"], folder):
        assert wait_until(lambda: heard(1), 30)
        link("down")
        assert wait_until(lambda: "INSTANCE sip FAULT 150" in told.read_text(), 30)
        link("up")
        assert wait_until(lambda: heard(2), 30)
    assert wait_until(lambda: "GROUP a STOP 0" in told.read_text(), 30)
    time.sleep(0.2)
    stream = os.read(fifo, 65536).decode().splitlines()
    os.close(fifo)
    return told.read_text().splitlines(), stream


def test_scripts_and_the_event_stream_hear_what_keepalived_s_hear(tmp_path: Path) -> None:
    with Lan() as lan:
        theirs = life(lan, tmp_path / "keepalived", keepalived)
        ours = life(lan, tmp_path / "haagent", haagent)
    for kind in ("INSTANCE", "GROUP"):  # keepalived does not keep an order between the two
        for mine, its in zip(ours, theirs, strict=True):
            assert [line for line in mine if line.startswith(kind)] == [
                line for line in its if line.startswith(kind)
            ]
    assert ours[1][:2] == ['INSTANCE "sip" BACKUP 150', 'GROUP "a" BACKUP 0']
