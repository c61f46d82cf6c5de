"""IO shell: libvirt in namespaces of its own: no bridge, address or process of it is seen outside, or left.

`enter` goes on inside; there, `Hypervisor` lays its directories over libvirt's and starts the daemons. When
the program ends, the kernel ends everything else in its process namespace.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from haagent.lab.errors import LabError

INSIDE = "HAAGENT_VAGRANT_INSIDE"
URI = "qemu:///system"
START_SECONDS = 60.0
# As root: the user libvirt-qemu may open neither /dev/kvm nor the disks below our directory.
QEMU_CONF = 'user = "root"\ngroup = "root"\n'


def enter(module: str, arguments: list[str]) -> None:
    """Go on in new namespaces: as a child of their first process, which collects what is left to it."""
    if not os.environ.get(INSIDE):
        here = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.environ[INSIDE] = "yes"
        os.execvp(here[0], [*here, sys.executable, "-m", module, *arguments])
    child = os.fork()
    while child:
        ended, status = os.wait()
        if ended == child:
            os._exit(os.waitstatus_to_exitcode(status))


class Hypervisor:
    """libvirtd and virtlogd, with their state below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for name in ("run", "lib/images"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        _run("umount", "--recursive", "--lazy", "/sys/fs/cgroup")  # what libvirt does not see it does not use
        _run("mount", "-t", "sysfs", "sysfs", "/sys")  # the devices of our network namespace
        _run("ip", "link", "set", "lo", "up")
        Path("/run/libvirt").mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "run", "/run/libvirt")
        _run("mount", "--bind", str(self._folder / "lib"), "/var/lib/libvirt")
        etc = self._folder / "etc"
        shutil.copytree("/etc/libvirt", etc, ignore=shutil.ignore_patterns("storage", "networks", "*.xml"))
        (etc / "qemu.conf").write_text(QEMU_CONF)
        _run("mount", "--bind", str(etc), "/etc/libvirt")
        for name in ("virtlogd", "libvirtd"):
            with (self._folder / f"{name}.log").open("wb") as log:
                pid = f"--pid-file={self._folder / 'run' / name}.pid"
                self._daemons.append(
                    subprocess.Popen([name, pid], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                )
        end = time.monotonic() + START_SECONDS
        while virsh("version").returncode:
            if time.monotonic() > end:
                raise LabError(
                    f"libvirtd does not answer: {(self._folder / 'libvirtd.log').read_text()[-2000:]}"
                )
            time.sleep(0.2)
        # before Vagrant does: its machines come up in parallel, and each would
        _run("virsh", "-c", URI, "pool-create-as", "default", "dir", "--target", "/var/lib/libvirt/images")
        return self

    def __exit__(self, *exc: object) -> None:
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait(20)


def virsh(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Ask libvirt."""
    argv = ["virsh", "-c", URI, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
