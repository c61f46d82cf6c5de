"""sipp, not our own phones, registers and calls through the VIP while a fault strikes, in both strategies."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.demo import strike
from haagent.lab.namespaces import Host, stop
from haagent.lab.outcome import Fault
from haagent.lab.pair import Pair, Settings
from haagent.lab.topology import VIP, Lan
from haagent.lab.watch import wait_until
from tests.kit.capture import Capture

pytestmark = [pytest.mark.lab, pytest.mark.interop, pytest.mark.timeout(180)]

SCENARIOS = Path(__file__).parent / "sipp"
USERS = tuple((f"s{number:03}", f"secret{number}") for number in range(20))
CALLEE_PORT, CALLER_PORT, REGISTER_PORT = 5080, 5081, 5082
RATE, CALLS = 10, 45
FAULTS = (Fault.POWER, Fault.LINK, Fault.CORE, Fault.AGENT, Fault.SWITCHOVER)
STRIKES_AFTER = 1.5  # seconds: then the first calls talk, others ring, and every 100 ms one is set up


class Sipp:
    """One sipp on the client host, ended with the context; `folder` keeps its error log."""

    def __init__(self, host: Host, folder: Path, scenario: str, port: int, *options: str) -> None:
        self._folder = folder
        argv = ["sipp", f"{VIP}:5060", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "10.88.0.13"]
        argv += ["-p", str(port), "-nostdin", "-trace_err", "-error_file", str(folder / f"{scenario}.err")]
        with (folder / f"{scenario}.out").open("wb") as out:
            self._process = host.spawn([*argv, *options], stdout=out, stderr=out)
        self._scenario = scenario

    def wait(self, timeout: float) -> int:
        """Its exit code: 0 means that every call went as the scenario says."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return -1

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        stop(self._process)

    def words(self) -> str:
        """What it has said, for a failed assertion."""
        parts = [self._folder / f"{self._scenario}.{end}" for end in ("err", "out")]
        return "\n".join(p.read_text(errors="replace")[-3000:] for p in parts if p.exists())


@pytest.fixture(scope="module", params=["on-master", "on-both"])
def laboratory(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lan, Pair]]:
    with Lan() as lan:
        folder = tmp_path_factory.mktemp("pair")
        pair = Pair(lan, folder, Settings(strategy=str(request.param), users=USERS))
        try:
            pair.start()
            write_users(folder)
            register = Sipp(
                lan.hosts["client"], folder, "register", REGISTER_PORT, "-inf", str(folder / "users.csv"),
                "-m", str(len(USERS)), "-r", "20",
            )  # fmt: skip
            assert register.wait(20) == 0, register.words()
            yield lan, pair
        finally:
            pair.stop()


def write_users(folder: Path) -> None:
    lines = [f"{user};[authentication username={user} password={password}]" for user, password in USERS]
    (folder / "users.csv").write_text("SEQUENTIAL\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.value for fault in FAULTS])
def test_no_call_of_sipp_fails_when_a_fault_strikes(
    laboratory: tuple[Lan, Pair], tmp_path: Path, fault: Fault
) -> None:
    lan, pair = laboratory
    pair.wait_ready()
    master = pair.nodes[pair.master()]
    write_users(tmp_path)
    client = lan.hosts["client"]
    callee = Sipp(client, tmp_path, "callee", CALLEE_PORT)
    caller = Sipp(
        client, tmp_path, "caller", CALLER_PORT, "-inf", str(tmp_path / "users.csv"),
        "-m", str(CALLS), "-r", str(RATE), "-timeout", "40", "-timeout_error",
    )  # fmt: skip
    try:
        with Capture(client, only="udp port 5060") as capture:
            time.sleep(STRIKES_AFTER)
            strike(fault, lan, master)
            code = caller.wait(45)
        survivor = pair.nodes["b" if master.name == "a" else "a"]
        assert code == 0, f"{caller.words()}\n{callee.words()}\n{pair.log_ends()}"
        assert survivor.role() == "MASTER"
        assert {user for user, _ in USERS} <= survivor.registered()
        assert wait_until(lambda: survivor.dialogs() == 0, 5), "a call that has ended is still known"
        assert capture.complaints("sip") == []
    finally:
        caller.end()
        callee.end()
        mend(lan, pair, fault, master.name)


def mend(lan: Lan, pair: Pair, fault: Fault, name: str) -> None:
    """Bring the node back as the standby."""
    if fault is Fault.POWER:
        pair.revive(name)
    else:
        lan.plug(name, "lan")
        pair.nodes[name].start()
    pair.wait_ready(timeout=30)
