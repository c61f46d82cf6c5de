"""sipp as the peer: it registers with digest, calls and cancels through the SIP core on loopback."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.sip_live import USERS, CoreProcess, LivePhones, free_port

pytestmark = pytest.mark.interop
SCENARIOS = Path(__file__).parent / "sipp"
CALLS, RATE = 200, 100


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    port = free_port()
    more = f'[[listen]]\naddress = "127.0.0.1"\nport = {port}\ntransport = "tcp"\n'
    with CoreProcess(tmp_path_factory.mktemp("sipp"), port=port, more=more) as running:
        yield running


def sipp(core: CoreProcess, folder: Path, scenario: str, *words: str) -> "subprocess.Popen[str]":
    """sipp with one of our scenarios against the core."""
    target = [f"{core.address}:{core.port}"] if scenario != "callee" else []
    argv = ["sipp", *target, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", *words]
    argv += ["-nostdin", "-timeout", "30", "-timeout_error", "-trace_err"]
    return subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Every call of it went well."""
    output, _ = process.communicate(timeout=40)
    errors = "".join(path.read_text() for path in folder.glob("*errors.log"))
    assert process.returncode == 0, f"{errors[-3000:]}\n{output[-2000:]}"


def inject(folder: Path, contact: str, *users: str) -> str:
    """The file with users, passwords and contacts for the scenarios."""
    path = folder / "users.csv"
    lines = [f"{user};[authentication username={user} password={USERS[user]}];{contact}" for user in users]
    path.write_text("\n".join(["SEQUENTIAL", *lines]) + "\n")
    return str(path)


def test_sipp_registers_with_digest(core: CoreProcess, tmp_path: Path) -> None:
    users = inject(tmp_path, "127.0.0.1:9", "carol", "dave")
    finish(sipp(core, tmp_path, "register", "-inf", users, "-m", "2"), tmp_path)
    for user in ("carol", "dave"):
        assert (
            core.client.get(f"/v1/location?aor={user}@example.test")[0]["contact"]
            == f"sip:{user}@127.0.0.1:9"
        )


def test_sipp_calls_sipp_through_the_core(core: CoreProcess, tmp_path: Path) -> None:
    port = free_port()
    users = inject(tmp_path, f"127.0.0.1:{port}", "bob")
    finish(sipp(core, tmp_path, "register", "-inf", users, "-m", "1"), tmp_path)
    callee = sipp(core, tmp_path, "callee", "-p", str(port), "-m", str(CALLS))
    caller = sipp(core, tmp_path, "caller", "-inf", users, "-m", str(CALLS), "-r", str(RATE))
    finish(caller, tmp_path)
    finish(callee, tmp_path)
    assert core.client.get("/v1/dialogs") == []
    assert core.counters()["failures"] == 0, core.log()


def test_sipp_calls_over_one_tcp_connection(core: CoreProcess, tmp_path: Path) -> None:
    port = free_port()
    users = inject(tmp_path, f"127.0.0.1:{port}", "carol")
    finish(sipp(core, tmp_path, "register", "-inf", users, "-m", "1", "-t", "t1"), tmp_path)
    callee = sipp(core, tmp_path, "callee", "-p", str(port), "-m", "50")
    caller = sipp(core, tmp_path, "caller", "-inf", users, "-m", "50", "-r", "50", "-t", "t1")
    finish(caller, tmp_path)
    finish(callee, tmp_path)
    assert core.counters()["failures"] == 0, core.log()


def test_sipp_cancels_a_call_to_our_phone(core: CoreProcess, tmp_path: Path) -> None:
    users = inject(tmp_path, "127.0.0.1:9", "alice")
    with LivePhones((core.address, core.port), "alice") as phones:
        phones.register("alice")
        process = sipp(core, tmp_path, "cancelling", "-inf", users, "-m", "1")
        phones.until("cancelled")
        phones.wire.flush()
        finish(process, tmp_path)
        assert [event["event"] for event in phones.idle(0.1)] == ["ringing"]


def test_sipp_is_called_and_hung_up_by_our_phone(core: CoreProcess, tmp_path: Path) -> None:
    port = free_port()
    users = inject(tmp_path, f"127.0.0.1:{port}", "bob")
    finish(sipp(core, tmp_path, "register", "-inf", users, "-m", "1"), tmp_path)
    callee = sipp(core, tmp_path, "callee", "-p", str(port), "-m", "1")
    with LivePhones((core.address, core.port), "alice") as phones:
        phones.phone.call("1", b"alice", b"bob", time.monotonic())
        phones.until("answered", call="1")
        phones.phone.bye("1", "caller", time.monotonic())
        assert phones.until("bye_answered", call="1")["status"] == 200
    finish(callee, tmp_path)
