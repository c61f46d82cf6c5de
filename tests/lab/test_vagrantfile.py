"""What can be said of vagrant/ without virtual machines; `make vagrant` brings them up."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from haagent.lab.topology import NODES, VIP, address

VAGRANT = Path(__file__).parents[2] / "vagrant"


@pytest.fixture(name="copy")
def _copy(tmp_path: Path) -> Path:
    """A copy, since the Vagrantfile writes the pair's secret beside itself."""
    folder = tmp_path / "vagrant"
    shutil.copytree(VAGRANT, folder, ignore=shutil.ignore_patterns(".*"))
    return folder


def validate(folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "VAGRANT_HOME": str(folder / "home"), "VAGRANT_CHECKPOINT_DISABLE": "1"}
    argv = ["vagrant", "validate", "--ignore-provider"]
    return subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.vagrant
def test_vagrant_accepts_the_file(copy: Path) -> None:
    done = validate(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (copy / ".secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.vagrant
def test_vagrant_would_name_a_setting_that_it_does_not_know(copy: Path) -> None:
    path = copy / "Vagrantfile"
    path.write_text(path.read_text().replace("config.vm.boot_timeout", "config.vm.boot_tmeout"))
    done = validate(copy)
    assert done.returncode != 0
    assert "boot_tmeout" in done.stdout + done.stderr


def test_the_machines_have_the_addresses_of_the_laboratory() -> None:
    """So that its phones and its judge work with them too."""
    text = (VAGRANT / "Vagrantfile").read_text()
    numbers = [address(host).rpartition(".")[2] for host in (*NODES, "client")]
    assert re.findall(r'"(?:master|backup|client)" => \[(\d+)', text) == numbers
    assert f"vip={VIP}\n" in (VAGRANT / "provision.sh").read_text()


@pytest.mark.parametrize("script", sorted(VAGRANT.glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_posix_shell(script: Path) -> None:
    done = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert script.stat().st_mode & 0o111
