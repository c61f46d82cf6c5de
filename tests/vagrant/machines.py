"""IO shell: the three machines as Vagrant keeps them: up, asked over ssh, switched off, destroyed."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from haagent.lab.errors import LabError
from tests.vagrant.hypervisor import virsh

CHECKOUT = Path(__file__).parents[2]
UP_SECONDS = 3600.0
NODES = ("master", "backup")
CONTROL_PATH = "/run/libvirt/ssh-%C"  # our own there, and short: a socket's path has at most 107 bytes


class Vagrant:
    """The command `vagrant` in the checkout's folder of that name."""

    def __init__(self, home: Path, *, box: str, driver: str) -> None:
        self._home = home
        self._environment = {
            **os.environ,
            "VAGRANT_HOME": str(home),
            "VAGRANT_DOTFILE_PATH": str(home / "dotfile"),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_DEFAULT_PROVIDER": "libvirt",
            "VAGRANT_DRIVER": driver,
            "HAAGENT_BOX": box,
        }

    def __call__(self, *arguments: str, seconds: float = 300.0) -> str:
        """Run it; what it says."""
        done = subprocess.run(
            ["vagrant", *arguments],
            cwd=CHECKOUT / "vagrant",
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            said = [
                line for line in (done.stdout + done.stderr).splitlines() if ".rb:" not in line
            ]  # no traces
            raise LabError("\n".join([f"vagrant {' '.join(arguments)}:", *said[-60:]]))
        return done.stdout

    def machine(self, name: str) -> "VirtualMachine":
        """One that is up."""
        return VirtualMachine(name, _ssh(self("ssh-config", name), self._home / f"{name}.ssh"))


class VirtualMachine:
    """One machine, reached by the ssh that Vagrant has prepared."""

    def __init__(self, name: str, ssh: list[str]) -> None:
        self.name = name
        self._ssh = ssh

    def run(self, command: str, *, seconds: float = 60.0) -> str:
        """Run a command as root; its output."""
        argv = [*self._ssh, f"sudo {command}"]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
        if done.returncode:
            raise LabError(f"{self.name}: {command}: {done.stdout}{done.stderr}")
        return done.stdout

    def status(self, program: str = "haagent") -> dict[str, Any]:
        """What the agent or the core says; empty while it does not answer."""
        try:
            found: dict[str, Any] = json.loads(self.run(f"{program} status --json"))
        except (LabError, ValueError):
            return {}
        return found

    def spawn(
        self, argv: Sequence[str], *, stdin: int | IO[bytes], stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start one of our programs there (`python -m PROGRAM ...`), with the users that it knows."""
        there = list(argv[2:])
        there[there.index("--users") + 1] = "/vagrant/vagrant/users"
        return subprocess.Popen(
            [*self._ssh, shlex.join(there)], stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )

    def power_off(self) -> None:
        """Pull the plug."""
        done = virsh("destroy", f"vagrant_{self.name}")
        if done.returncode:
            raise LabError(done.stderr)


def _ssh(config: str, path: Path) -> list[str]:
    """The command that connects, kept open by a master connection."""
    host = re.search(r"^Host (\S+)", config, re.MULTILINE)
    if host is None:
        raise LabError(f"vagrant ssh-config says {config!r}")
    master = f"ControlMaster auto\n  ControlPersist 600\n  ControlPath {CONTROL_PATH}"
    path.write_text(f"{config}\n  {master}\n  LogLevel ERROR\n")
    return ["ssh", "-F", str(path), host[1]]
