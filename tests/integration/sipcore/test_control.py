"""The control API on its Unix socket, and the `sipcore` command that uses it."""

import http.client
import json
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipcore.control.client import ControlClient, CoreUnreachableError, RefusedError
from tests.kit.sip_live import CoreProcess, LivePhones, sipcore, wait_for, write_shared


@pytest.fixture
def core(tmp_path: Path) -> Iterator[CoreProcess]:
    with CoreProcess(tmp_path, standalone=False) as running:
        yield running


def stream(core: CoreProcess) -> tuple[http.client.HTTPResponse, socket.socket]:
    """An open /v1/events."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(5)
    sock.connect(str(core.folder / "run" / "control.sock"))
    sock.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response, sock


def test_it_starts_as_backup_ready_and_in_sync_with_nobody(core: CoreProcess) -> None:
    status = core.status()
    assert (status["role"], status["epoch"], status["ready"], status["synced"]) == ("BACKUP", 0, True, True)
    assert (status["contacts"], status["dialogs"], status["transactions"]) == (0, 0, 0)
    assert core.process is not None
    assert status["pid"] == core.process.pid


def test_the_socket_is_for_owner_and_group_only(core: CoreProcess) -> None:
    mode = (core.folder / "run" / "control.sock").stat().st_mode
    assert stat.S_IMODE(mode) == 0o660


def test_a_role_with_an_older_epoch_is_refused(core: CoreProcess) -> None:
    assert core.role("MASTER", 5) == {"role": "MASTER", "epoch": 5}
    with pytest.raises(RefusedError, match="4 is older than 5"):
        core.role("BACKUP", 4)
    assert core.status()["role"] == "MASTER"
    assert core.role("BACKUP", 5)["role"] == "BACKUP"  # a demotion within one epoch


def test_a_role_that_is_none_is_refused(core: CoreProcess) -> None:
    with pytest.raises(RefusedError, match="FAULT"):
        core.role("FAULT", 5)


def test_the_events_begin_with_the_status_then_tell_roles_and_beat(core: CoreProcess) -> None:
    response, sock = stream(core)
    first = json.loads(response.readline())
    assert (first["role"], "event" in first) == ("BACKUP", False)
    core.role("MASTER", 1)
    line = json.loads(response.readline())
    while line["event"] == "heartbeat" and line["role"] == "BACKUP":
        line = json.loads(response.readline())
    assert (line["event"], line["role"], line["epoch"]) == ("role", "MASTER", 1)
    assert json.loads(response.readline())["event"] == "heartbeat"
    sock.close()


def test_the_death_of_the_core_closes_the_events(core: CoreProcess) -> None:
    response, sock = stream(core)
    response.readline()
    core.kill()
    began = time.monotonic()
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        response.read()
    assert time.monotonic() - began < 0.5
    sock.close()


def test_a_backup_sends_nothing_and_keeps_what_came_just_before_it_became_master(core: CoreProcess) -> None:
    with LivePhones((core.address, core.port), "alice") as phones:
        phones.phone.options("early", b"alice", time.monotonic())
        assert phones.idle(0.2) == []
        core.role("MASTER", 1)
        answer = phones.until("options_answered")
        assert answer["status"] == 200
        assert 190 < float(str(answer["ms"])) < 450  # answered at once, not by the retransmission after T1


def test_the_metrics_are_those_of_the_status(core: CoreProcess) -> None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(core.folder / "run" / "control.sock"))
    connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    connection.close()
    assert 'sipcore_role{role="BACKUP"} 1.0' in text
    assert "# TYPE sipcore_contacts gauge" in text
    assert 'sipcore_events_total{event="received"} 0.0' in text


def test_traffic_is_counted_by_method_class_and_reason(core: CoreProcess) -> None:
    core.role("MASTER", 1)
    with LivePhones((core.address, core.port), "alice") as phones:
        phones.register("alice")
        phones.wire.socket.sendto(b"OPTIONS sip:a SIP/2.0\r\n\r\n", (core.address, core.port))
        wait_for(lambda: bool(core.status()["traffic"]["parse_errors"]), "bad input is counted")
    traffic = core.status()["traffic"]
    assert traffic["requests_received"]["REGISTER"] == 2
    assert (traffic["responses_sent"]["2xx"], traffic["responses_sent"]["4xx"]) == (1, 1)
    assert traffic["parse_errors"] == {"Missing Via": 1}
    assert sum(traffic["batch_messages"]["counts"]) == 3
    shown = core.cli("status").stdout
    assert "REGISTER 2" in shown
    assert "Missing Via 1" in shown


def test_a_second_core_on_the_same_run_dir_refuses(core: CoreProcess) -> None:
    result = sipcore("run", str(core.config))
    assert result.returncode == 2
    assert core.process is not None
    assert f"in use by another SIP core (pid {core.process.pid})" in result.stderr
    assert core.status()["ready"]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with CoreProcess(tmp_path, node="a") as first:
        second = CoreProcess(tmp_path, node="b", port=first.port)
        result = sipcore("run", str(second.config))
    assert result.returncode == 2
    assert f"listen[0]: 127.0.0.1:{first.port}: Address already in use" in result.stderr


def test_an_address_that_is_elsewhere_is_bound_in_advance(tmp_path: Path) -> None:
    with CoreProcess(tmp_path, address="192.0.2.100", port=5060, standalone=False) as core:
        assert core.status()["ready"]


# The command


def test_status_is_shown_and_its_json_is_the_apis(core: CoreProcess) -> None:
    shown = core.cli("status")
    assert shown.returncode == 0
    assert "BACKUP, epoch 0" in shown.stdout
    assert json.loads(core.cli("status", "--json").stdout)["node"] == "a"


def test_the_role_is_shown_set_and_refused(core: CoreProcess) -> None:
    assert json.loads(core.cli("role", "--json").stdout) == {"role": "BACKUP", "epoch": 0}
    assert core.cli("role", "set", "master", "--epoch", "3").returncode == 0
    assert core.status()["role"] == "MASTER"
    refused = core.cli("role", "set", "BACKUP", "--epoch", "2")
    assert (refused.returncode, "2 is older than 3" in refused.stderr) == (1, True)
    assert core.cli("role", "set", "FAULT", "--epoch", "4").returncode == 2


def test_contacts_calls_and_peers_are_listed(core: CoreProcess) -> None:
    core.role("MASTER", 1)
    with LivePhones((core.address, core.port), "alice", "bob") as phones:
        phones.register("alice", "bob")
        assert "sip:bob@example.test" in core.cli("location").stdout
        (row,) = json.loads(core.cli("location", "bob@example.test", "--json").stdout)
        assert row["aor"] == "sip:bob@example.test"
        assert core.cli("location", "sip:nobody@example.test").returncode == 1
        phones.call("1", "alice", "bob")
        assert json.loads(core.cli("dialog", "--json").stdout)[0]["state"] == "EARLY"
        assert "EARLY" in core.cli("dialog").stdout
        assert "INVITE" in core.cli("transaction").stdout
        assert json.loads(core.cli("replication", "--json").stdout) == {"configured": False}


def test_without_a_core_the_command_says_so_and_exits_3(tmp_path: Path) -> None:
    result = sipcore("status", "--socket", str(tmp_path / "no.sock"))
    assert result.returncode == 3
    assert "there is no socket; is `sipcore run` running?" in result.stderr
    (tmp_path / "no.sock").touch()
    with pytest.raises(CoreUnreachableError):
        ControlClient(tmp_path / "no.sock").get("/v1/status")


def test_check_accepts_a_good_config_and_names_what_is_wrong_in_another(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path)
    good = sipcore("check", str(core.config))
    assert (good.returncode, "good: node a, domains example.test" in good.stdout) == (0, True)
    text = core.config.read_text()
    for right, wrong, said in (
        ("port =", "prot =", "did you mean listen[0].port?"),
        ("nonce.key", "none.key", "auth.secret_file"),
        ("/users", "/nobody", "auth.users_file"),
    ):
        core.config.write_text(text.replace(right, wrong, 1))
        for command in ("check", "run"):
            result = sipcore(command, str(core.config))
            assert (result.returncode, said in result.stderr) == (2, True), result.stderr


def test_a_key_that_is_too_short_is_refused(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path)
    (tmp_path / "nonce.key").write_text("short")
    result = sipcore("check", str(core.config))
    assert "auth.secret_file" in result.stderr
    assert "5 bytes, at least 16" in result.stderr
    write_shared(tmp_path)


def test_the_command_starts_fast_because_it_does_not_load_the_core() -> None:
    script = "import json, sys, sipcore.cli; print(json.dumps(sorted(sys.modules)))"
    listed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    loaded = set(json.loads(listed.stdout))
    assert not {"aiohttp", "asyncio", "structlog", "sipcore.server", "sipcore.message"} & loaded


def test_probes_answer_in_words_and_by_exit_code(core: CoreProcess) -> None:
    core.role("MASTER", 1)
    proxy = f"{core.address}:{core.port}"
    local = ("--local", "127.0.0.1")
    alive = sipcore("phone", "options", f"sip:{proxy}", *local)
    assert (alive.returncode, "answered 200 in" in alive.stdout) == (0, True), alive.stderr
    register = ("phone", "register", "alice@example.test", "--proxy", proxy, *local, "--password")
    assert "registered for 60 s" in sipcore(*register, "secret-a").stdout
    refused = sipcore(*register, "wrong")
    assert (refused.returncode, "refused with 401" in refused.stderr) == (1, True)
    with LivePhones((core.address, core.port), "bob") as phones:
        phones.register("bob")
        phones.phone.auto_answer.add(b"bob")
        missing = sipcore("phone", "call", "dave@example.test", "--proxy", proxy, *local)
        assert (missing.returncode, "failed with 480" in missing.stderr) == (1, True), missing.stderr
        words = ["phone", "call", "bob@example.test", "--proxy", proxy, *local, "--hold", "0.1"]
        with subprocess.Popen([sys.executable, "-m", "sipcore", *words], stdout=subprocess.PIPE) as caller:
            phones.until("bye_received")
            phones.wire.flush()
            assert b"answered after" in caller.communicate(timeout=5)[0]
        assert caller.returncode == 0
    core.role("BACKUP", 1)
    dead = sipcore("phone", "options", f"sip:{proxy}", *local, "--timeout", "0.3")
    assert (dead.returncode, "no answer within 0.3 s" in dead.stderr) == (1, True)


def test_the_control_socket_of_a_killed_core_is_replaced(core: CoreProcess) -> None:
    core.kill()
    core.start()
    wait_for(lambda: bool(core.status()["ready"]), "it is back", core.log)


def test_a_reload_says_what_was_read_and_sighup_does_the_same(core: CoreProcess) -> None:
    done = core.cli("reload", "--json")
    assert done.returncode == 0, done.stderr
    assert ("certificates", True) in [(row["what"], row["done"]) for row in json.loads(done.stdout)]
    assert core.process is not None
    core.process.send_signal(signal.SIGHUP)
    wait_for(lambda: core.log().count("reloaded") >= 2, "the log has both", core.log)
