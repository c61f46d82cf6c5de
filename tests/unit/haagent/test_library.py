"""The examples of the library run as they stand, and the reference names what there is."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs/examples/library"
REFERENCE = (ROOT / "docs/reference/library.md").read_text()
SAID = {
    "vip_plan": "show \nadd_address 192.0.2.100\nadd_address 2001:db8::100\nannounce \n"
    "interrupted after the first address:\nadd_address 2001:db8::100\nannounce \n",
    "health_check": "3.5 s: up -> down: no answer within 500 ms (3 times in a row)\n",
    "rules": "# sysctl net.ipv4.ip_nonlocal_bind=1\n",
    "node": "0.361 TakeVip(router='sip')\n0.361 SendAdvertisement(router='sip', priority=100)\n",
}


@pytest.mark.parametrize("name", SAID)
def test_the_example_runs_without_root_and_says_what_it_should(name: str) -> None:
    argv = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert SAID[name] in done.stdout


def test_each_example_is_run_and_in_the_reference() -> None:
    found = {path.stem for path in EXAMPLES.glob("*.py")}
    assert found == set(SAID)
    assert all(f"examples/library/{name}.py" in REFERENCE for name in found)


def test_the_reference_names_modules_and_members_that_exist() -> None:
    names = set(re.findall(r"`((?:haagent|netrules)(?:\.\w+)+)`", REFERENCE))
    assert len(names) >= 10
    for name in names:
        parent, _, last = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(parent), last), name


def test_the_node_of_the_reference_has_these_inputs() -> None:
    from haagent.node import Node

    inputs = set(re.findall(r"`(on_\w+)", REFERENCE)) - {"on_"}
    assert {name for name in dir(Node) if name.startswith("on_")} - inputs <= {"on_timer", "on_settings"}
    assert all(hasattr(Node, name) for name in inputs)


@pytest.mark.parametrize("package", ["haagent", "netrules", "sipcore"])
def test_the_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()
