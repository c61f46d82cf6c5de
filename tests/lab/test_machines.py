"""Two machines that boot a real systemd, provisioned by Vagrant's script, and the phones of their users."""

import random
import re
import secrets
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress

from haagent.control.client import AgentUnreachableError
from haagent.lab.phones import Phones
from haagent.lab.scenario import Scenario
from haagent.lab.topology import Lan, address
from tests.kit.machines import SCRIPTS, Machine, make_wheels, root_directory

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.machines, pytest.mark.timeout(600)]
UPGRADE = SCRIPTS.parent / "docs/howto/upgrade-a-live-pair.md"
NAMES = {"a": "master", "b": "backup"}
USERS = tuple(
    (name, password)
    for name, _, password in (line.partition(":") for line in (SCRIPTS / "users").read_text().split())
)
CALLS = 12


class Machines:
    """Both nodes as their operator sees them."""

    def __init__(self, lan: Lan, folder: Path) -> None:
        self.lan = lan
        self.nodes = [Machine(name, lan.hosts[host], folder) for host, name in NAMES.items()]

    def status(self, node: Machine) -> Any:
        """The agent's status; empty while it does not answer."""
        try:
            return node.client("haagent").get("/v1/status")
        except AgentUnreachableError:
            return {}

    def master(self) -> Machine:
        """The one that says so."""
        found = [node for node in self.nodes if self.status(node).get("role") == "MASTER"]
        assert len(found) == 1, self.log()
        return found[0]

    def other(self, node: Machine) -> Machine:
        """The other one."""
        return self.nodes[1 - self.nodes.index(node)]

    def are_a_pair(self) -> bool:
        """One master, one backup in sync, connected."""
        states = [self.status(node) for node in self.nodes]
        if {state.get("role") for state in states} != {"MASTER", "BACKUP"}:
            return False
        return all(state["peer"]["connected"] and state["core"]["synced"] for state in states)

    def until(self, true: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for it."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, self.log()
            time.sleep(0.05)

    def log(self) -> str:
        """What both have written."""
        return "\n".join(f"--- {node.name}\n{node.console()}" for node in self.nodes)


@pytest.fixture(name="machines", scope="module")
def _machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    secret = SCRIPTS / ".secret"
    if not secret.exists():
        secret.touch(0o600)
        secret.write_text(secrets.token_hex(32))
    make_wheels()
    root = root_directory()
    with Lan() as lan:
        machines = Machines(lan, tmp_path_factory.mktemp("machines"))
        try:
            for node in machines.nodes:
                node.boot(root)
            with ThreadPoolExecutor() as both:
                list(both.map(_provision, machines.nodes))
            machines.until(machines.are_a_pair)
            yield machines
        finally:
            for node in machines.nodes:
                node.power_off()


def _provision(node: Machine) -> None:
    node.wait_up()
    own, peer = sorted((address(host).rpartition(".")[2] for host in NAMES), reverse=node.name != NAMES["a"])
    done = node.run("/vagrant/vagrant/provision.sh", node.name, own, peer, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr + node.console()


@pytest.fixture(name="phones")
def _phones(machines: Machines, tmp_path: Path) -> Iterator[Phones]:
    machines.until(machines.are_a_pair)
    with Phones(machines.lan.hosts["client"], tmp_path, USERS) as phones:
        yield phones


class Talk:
    """Calls that are up or ringing before something happens, and are finished after it."""

    def __init__(self, phones: Phones) -> None:
        users = [user for user, _ in USERS]
        self._ledger = phones.ledger
        self._scenario = Scenario(phones, users, random.Random(1), Progress(disable=True))
        assert self._scenario.register(), self._ledger.refused
        self._calls = self._scenario.call(CALLS)
        assert sum(call.is_up for call in self._calls) == CALLS - CALLS // 3

    def finish(self) -> dict[str, list[str]]:
        """Decide what rings, call again, hang up; what was lost."""
        self._scenario.finish_ringing(self._calls)
        calls = [*self._calls, *self._scenario.call_again(4)]
        self._scenario.hang_up(calls)
        twice = {"twice": [str(self._ledger.duplicates)]} if self._ledger.duplicates else {}
        return {**self._ledger.lost(), **twice}


def test_the_services_come_up_and_none_of_them_is_root(machines: Machines) -> None:
    for node in machines.nodes:
        status = machines.status(node)
        assert status["realtime"]["fifo"], node.console()
        assert status["realtime"]["mlock"]
        core = node.client("sipcore").get("/v1/status")
        for pid, user in (
            (status["pid"], "haagent"),
            (status["guard_pid"], "haagent"),
            (core["pid"], "sipcore"),
        ):
            assert node.run("stat", "-c", "%U", f"/proc/{pid}").stdout.strip() == user
        assert node.show("haagent", "StatusText").startswith(f"{status['role']}, epoch ")
        assert node.run("systemctl", "is-enabled", "haagent", "sipcore").stdout.split() == ["enabled"] * 2


def test_the_doctor_finds_nothing_that_would_stop_a_takeover(machines: Machines) -> None:
    done = machines.other(machines.master()).run("haagent", "doctor", "--seconds", "1")
    assert done.returncode == 0, done.stdout


def test_a_switchover_by_command_keeps_every_call(machines: Machines, phones: Phones) -> None:
    talk, old = Talk(phones), machines.master()
    done = old.run("haagent", "switchover", "--wait", "20")
    assert done.returncode == 0, done.stderr
    assert machines.master() is machines.other(old)
    assert talk.finish() == {}


def test_systemd_reloads_the_agent_without_a_takeover(machines: Machines) -> None:
    before = machines.master()
    done = before.run("systemctl", "reload", "haagent", "sipcore")
    assert done.returncode == 0, done.stderr + before.console()
    assert machines.master() is before


def test_the_watchdog_starts_a_stopped_agent_again_and_no_call_is_lost(
    machines: Machines, phones: Phones
) -> None:
    talk, old = Talk(phones), machines.master()
    status, restarts = machines.status(old), int(old.show("haagent", "NRestarts"))
    old.run("kill", "-STOP", str(status["guard_pid"]), str(status["pid"]))
    machines.until(lambda: machines.status(machines.other(old)).get("role") == "MASTER")
    assert talk.finish() == {}
    machines.until(lambda: int(old.show("haagent", "NRestarts")) > restarts)
    machines.until(machines.are_a_pair)
    assert machines.master() is machines.other(old)
    journal = old.run("journalctl", "--unit", "haagent", "--no-pager").stdout
    assert re.search(r"Watchdog timeout", journal), journal


def test_a_stopped_core_costs_no_call_and_comes_back(machines: Machines, phones: Phones) -> None:
    talk, old = Talk(phones), machines.master()
    restarts = int(old.show("sipcore", "NRestarts"))
    old.run("systemctl", "kill", "--signal=KILL", "sipcore")
    machines.until(lambda: machines.status(machines.other(old)).get("role") == "MASTER")
    assert talk.finish() == {}
    machines.until(lambda: int(old.show("sipcore", "NRestarts")) > restarts)


def test_the_howto_of_an_upgrade_works_word_by_word(machines: Machines, phones: Phones) -> None:
    blocks = re.findall(r"(?:^ {4}\S.*\n)+", UPGRADE.read_text(), re.MULTILINE)
    rehearsal, check, verify, replace, wait, switchover = (textwrap.dedent(block) for block in blocks)
    assert "haagent lab upgrade" in rehearsal

    def said(node: Machine, words: str) -> bool:
        return node.run("sh", "-ec", words).returncode == 0

    machines.until(machines.are_a_pair)
    assert all(said(node, check) for node in machines.nodes)
    machines.until(lambda: said(machines.master(), verify))
    talk = Talk(phones)
    for _ in machines.nodes:
        old = machines.master()
        standby = machines.other(old)
        done = standby.run("sh", "-ec", f"cd /vagrant/build/wheels\n{replace}")
        assert done.returncode == 0, done.stdout + done.stderr
        machines.until(lambda node=standby: said(node, wait))  # type: ignore[misc]
        assert said(old, switchover)
        machines.until(lambda node=standby: machines.status(node).get("role") == "MASTER")  # type: ignore[misc]
        machines.until(machines.are_a_pair)
    assert talk.finish() == {}


def test_a_machine_that_dies_takes_no_call_with_it(machines: Machines, phones: Phones) -> None:
    """The last test: the machine stays dead."""
    talk, old = Talk(phones), machines.master()
    host = next(host for host, name in NAMES.items() if name == old.name)
    machines.lan.unplug(host, "lan", "sync")
    old.power_off()
    machines.until(lambda: machines.status(machines.other(old)).get("role") == "MASTER")
    assert talk.finish() == {}
