"""IO shell: hosts of the laboratory's LAN that boot a Debian with a real systemd (systemd-nspawn).

The root file system is made once by vagrant/make-root.sh and kept in build/machines; each machine writes to a
layer of its own, in memory. The machine is provisioned by the script that Vagrant uses.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from haagent.control.client import ControlClient
from haagent.lab.errors import LabError
from haagent.lab.namespaces import Host, signal_all, wait_gone
from tests.kit.control_groups import ControlGroups

CHECKOUT = Path(__file__).parents[2]
SCRIPTS = CHECKOUT / "vagrant"
BOOT_SECONDS = 60.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A layer in memory over the root file system; it is gone with the mount namespace, so with the machine.
_LAYERED = """
for group in $7; do echo $$ >"$group/cgroup.procs"; done
mount -t tmpfs layer "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=$2,upperdir=$1/up,workdir=$1/work" machine "$1/root"
echo "$3" >"$1/root/etc/hostname"
mkdir -p "$1/root/vagrant"
exec systemd-nspawn --quiet --directory="$1/root" --machine="$3" --register=no --keep-unit --boot \
    --network-namespace-path="$4" --resolv-conf=off --bind-ro="$5:/vagrant" \
    --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_IPC_LOCK,CAP_SYS_NICE $6
"""
_DEPENDENCIES = """
python3 -m venv /opt/haagent
cd /vagrant
exec /opt/haagent/bin/pip install -q --no-index --find-links build/wheels -r requirements.lock
"""


def root_directory() -> Path:
    """The root file system: Debian, and the locked dependencies where the provisioning looks for them.

    Made anew when the packages or the lock have changed; it needs the wheels.
    """
    script, lock = SCRIPTS / "make-root.sh", CHECKOUT / "requirements.lock"
    mark = hashlib.sha256(script.read_bytes() + lock.read_bytes()).hexdigest()[:12]
    root = CHECKOUT / "build/machines" / f"root-{mark}"
    if not root.is_dir():
        for old in root.parent.glob("root-*"):
            shutil.rmtree(old)
        root.parent.mkdir(parents=True, exist_ok=True)
        fresh = root.with_name("root-new")
        run([str(script), str(fresh)], 400)
        alone = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network"]
        run(
            [*alone, f"--directory={fresh}", f"--bind-ro={CHECKOUT}:/vagrant", "sh", "-ec", _DEPENDENCIES],
            300,
        )
        fresh.rename(root)
    return root


def make_wheels() -> None:
    """What the machines install, as they have no internet: this checkout and its locked dependencies."""
    run([str(SCRIPTS / "make-wheels.sh")], 300)


class Machine:
    """One machine on a host of the LAN."""

    def __init__(self, name: str, host: Host, folder: Path) -> None:
        self.name = name
        self._host = host
        self._folder = folder / name
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.init = 0  # the pid of its systemd, as this machine's kernel counts

    def boot(self, root: Path) -> None:
        """Start it; `wait_up` waits."""
        self._groups = ControlGroups(self.name)
        network = f"/proc/{self._host.pid}/ns/net"
        argv = ["unshare", "--mount", "--propagation=private", "sh", "-ec", _LAYERED, "machine"]
        argv += [str(self._folder), str(root), self.name, network, str(CHECKOUT), _kernel_arguments()]
        argv.append(" ".join(map(str, self._groups.paths)))
        environment = {**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
        with (self._folder.with_suffix(".console")).open("ab") as console:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environment,
                start_new_session=True,
            )

    def wait_up(self) -> None:
        """Until systemd answers."""
        end = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < end:
            self.init = self.init or self._find_init()
            if self.init and self.run("systemctl", "is-system-running", "--wait").stdout.strip() == "running":
                return
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.1)
        failed = self.run("systemctl", "--failed", "--no-legend").stdout if self.init else ""
        raise LabError(f"machine {self.name} does not come up: {failed}\n{self.console()}")

    def run(self, *argv: str, timeout: float = 120.0) -> "subprocess.CompletedProcess[str]":
        """Run a command on it, as root."""
        inside = ["nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid"]
        clean = [
            "env",
            "-i",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
        ]
        return subprocess.run(
            [*inside, "--root", "--wd", *clean, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).stdout.strip()

    def client(self, package: str) -> ControlClient:
        """The control socket of `haagent` or `sipcore`, reached through the machine's root."""
        return ControlClient(Path(f"/proc/{self.init}/root/run/{package}/control.sock"), timeout=3)

    def power_off(self) -> None:
        """Everything on it is gone at once."""
        signal_all(self._host.processes(), signal.SIGKILL)
        if self._process is not None:
            signal_all([self._process.pid], signal.SIGKILL)
            self._process.wait(10)
        wait_gone(self._host)
        self._groups.remove()

    def console(self) -> str:
        """What it has shown, and the end of its journal while it runs."""
        shown = self._folder.with_suffix(".console").read_text(errors="replace")[-2000:]
        if not self.init or not Path(f"/proc/{self.init}").exists():
            return shown
        return shown + self.run("journalctl", "-n", "60", "--no-pager", "-o", "short-monotonic").stdout

    def _find_init(self) -> int:
        """Process 1 of the innermost namespace that runs on this host's network."""
        for pid in self._host.processes():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            if fields["Name"] == "systemd" and fields["NSpid"].split()[-1] == "1":
                return pid
        return 0


def _kernel_arguments() -> str:
    """systemd inside must use the hierarchy of control groups that there is outside."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return "" if unified else "systemd.unified_cgroup_hierarchy=0"


def run(argv: list[str], seconds: float) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
