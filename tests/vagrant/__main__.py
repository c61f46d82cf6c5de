"""IO shell: `make vagrant`: three machines, a switchover, the master's plug pulled; says what was lost.

Needs root. What it makes lies in build/machines; the box is kept for the next time.
"""

import argparse
import hashlib
import os
import random
import shutil
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress

from haagent.lab.errors import LabError
from haagent.lab.phones import Phones
from haagent.lab.scenario import Scenario
from tests.kit.machines import CHECKOUT, SCRIPTS, make_wheels, run
from tests.vagrant.hypervisor import Hypervisor, enter, virsh
from tests.vagrant.machines import NODES, UP_SECONDS, Vagrant, VirtualMachine

PACKAGES = (
    "vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base"
    " mmdebstrap extlinux syslinux-common fdisk rsync openssh-client iproute2 util-linux"
)
TOOLS = (
    "vagrant libvirtd virtlogd virsh qemu-system-x86_64 qemu-img dnsmasq"
    " mmdebstrap extlinux sfdisk rsync ssh ip unshare"
)
KERNEL = (  # more of Debian than a machine without a kernel of its own needs
    "linux-image-cloud-amd64 initramfs-tools udev kmod ifupdown isc-dhcp-client netbase"
    " openssh-server sudo rsync"
)
WORK = CHECKOUT / "build/machines"
LOCK = hashlib.sha256((CHECKOUT / "requirements.lock").read_bytes()).hexdigest()[:12]
BOX = WORK / f"debian12-{LOCK}.box"  # with the dependencies in it
USERS = tuple(
    (name, password)
    for name, _, password in (line.partition(":") for line in (SCRIPTS / "users").read_text().split())
)
WAIT_SECONDS = 120.0
console = Console(highlight=False, soft_wrap=True)


class Steps:
    """Says what was done, and how long it took."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()

    def done(self, what: str) -> None:
        """One step."""
        now = time.monotonic()
        console.print(f"{now - self._start:7.1f} s  {what}  ({now - self._last:.1f} s)")
        self._last = now


def main() -> int:
    """All of it; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.vagrant", description=__doc__)
    parser.add_argument("--driver", default=os.environ.get("VAGRANT_DRIVER", "qemu"), choices=("qemu", "kvm"))
    parser.add_argument("--calls", type=int, default=10)
    options = parser.parse_args()
    missing = [tool for tool in TOOLS.split() if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        console.print(f"make vagrant needs root, and {', '.join(missing) or 'nothing else'}:")
        console.print(f"  apt-get install -y --no-install-recommends {PACKAGES}")
        return 2
    enter("tests.vagrant", sys.argv[1:])
    steps = Steps()
    try:
        lost = _play(steps, options.driver, options.calls)
    except LabError as error:
        console.print(str(error), markup=False)
        return 1
    console.print(f"lost: {lost or 0}")
    return 1 if lost else 0


def _play(steps: Steps, driver: str, calls: int) -> dict[str, list[str]]:
    make_wheels()
    steps.done("wheels")
    if not BOX.exists():
        root = WORK / "box-root.tar"
        if not root.exists():
            run([str(SCRIPTS / "make-root.sh"), str(root), *KERNEL.split()], 900)
            steps.done("root file system")
        run([str(SCRIPTS / "make-box.sh"), str(root), str(BOX), str(CHECKOUT / "build/wheels")], 600)
        steps.done("box")
    home = WORK / "vagrant"
    for old in (home, WORK / "libvirt"):  # of a run that was cut off
        shutil.rmtree(old, ignore_errors=True)
    home.mkdir()
    vagrant = Vagrant(home, box="haagent/debian12", driver=driver)
    with Hypervisor(WORK / "libvirt"):
        vagrant("box", "add", "--name", "haagent/debian12", str(BOX))
        steps.done("libvirt, box added")
        try:
            vagrant("validate")
            vagrant("up", "--parallel", "--no-color", seconds=UP_SECONDS)
            steps.done("vagrant up: master, backup, client, provisioned")
            return _break_things(steps, vagrant, calls)
        finally:
            vagrant("destroy", "--force")
            virsh("pool-destroy", "default")
            steps.done("vagrant destroy")
            for old in (home, WORK / "libvirt"):
                shutil.rmtree(old, ignore_errors=True)


def _break_things(steps: Steps, vagrant: Vagrant, calls: int) -> dict[str, list[str]]:
    nodes = [vagrant.machine(name) for name in NODES]
    _until(lambda: _are_a_pair(nodes), "the two nodes are no pair", nodes)
    steps.done(f"a pair: {_roles(nodes)}")
    lost: dict[str, list[str]] = {}
    with Phones(vagrant.machine("client"), WORK / "vagrant", USERS) as phones:
        for name, deed in (("switchover", _switch_over), ("power", _cut)):
            _until(lambda: _are_a_pair(nodes), "the two nodes are no pair", nodes)
            scenario = Scenario(phones, [user for user, _ in USERS], random.Random(1), Progress(disable=True))
            if not scenario.register():
                raise LabError(f"only {len(phones.ledger.registered)} of {len(USERS)} users could register")
            up = scenario.call(calls)
            talking = sum(call.is_up for call in up)
            steps.done(f"{len(USERS)} users, {talking} calls up, {len(up) - talking} ringing")
            deed(nodes)
            steps.done(f"{name}: {_roles(nodes)}")
            scenario.finish_ringing(up)
            scenario.hang_up([*up, *scenario.call_again(calls // 3)])
            found = phones.ledger.lost()
            steps.done(f"{name}: {len(phones.ledger.calls)} calls ended as wished, but {len(found)}")
            lost |= {f"{name} {call}": what for call, what in found.items()}
            phones.ledger.calls.clear()
    return lost


def _switch_over(nodes: list[VirtualMachine]) -> None:
    old, new = _by_role(nodes)
    old.run("haagent switchover --wait 30")
    _until(lambda: new.status().get("role") == "MASTER", "no switchover", nodes)


def _cut(nodes: list[VirtualMachine]) -> None:
    old, new = _by_role(nodes)
    old.power_off()
    _until(lambda: new.status().get("role") == "MASTER", "no takeover", [new])
    nodes.remove(old)


def _by_role(nodes: list[VirtualMachine]) -> tuple[VirtualMachine, VirtualMachine]:
    """Master, backup."""
    first, second = nodes
    return (first, second) if first.status().get("role") == "MASTER" else (second, first)


def _are_a_pair(nodes: list[VirtualMachine]) -> bool:
    states = [node.status() for node in nodes]
    if {state.get("role") for state in states} != {"MASTER", "BACKUP"}:
        return False
    return all(state["peer"]["connected"] and state["core"]["synced"] for state in states)


def _roles(nodes: list[VirtualMachine]) -> str:
    return ", ".join(f"{node.name} is {node.status().get('role', 'silent')}" for node in nodes)


def _until(true: Callable[[], bool], complaint: str, nodes: list[VirtualMachine]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        if time.monotonic() > end:
            logs = "\n".join(node.run("journalctl -u haagent -u sipcore -n 40 --no-pager") for node in nodes)
            raise LabError(f"{complaint} after {WAIT_SECONDS:g} s\n{logs}")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
