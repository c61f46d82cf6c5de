"""Messages of a running core, watched by the control API, by the command, and by capture servers."""

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sipcore.control.client import ControlClient, RefusedError
from tests.kit.sip_live import ROOT, CoreProcess, LivePhones, wait_for

REGISTERING = ["REGISTER", "401", "REGISTER", "200"]


@pytest.fixture
def core(tmp_path: Path) -> Iterator[CoreProcess]:
    with CoreProcess(tmp_path) as running:
        yield running


def register(core: CoreProcess, user: str) -> None:
    with LivePhones((core.address, core.port), user) as phones:
        phones.register(user)


def watch(core: CoreProcess, query: str) -> list[dict[str, object]]:
    """All lines of a trace that the query ends."""
    return list(ControlClient(core.folder / "run" / "control.sock").lines(f"/v1/trace?{query}"))


def watching(core: CoreProcess) -> bool:
    return bool(core.status()["traces"])


def kinds(lines: list[dict[str, object]]) -> list[object]:
    return [str(line["status"]) if "status" in line else line["method"] for line in lines]


def test_a_trace_shows_the_messages_of_one_user_and_ends_after_its_count(core: CoreProcess) -> None:
    with ThreadPoolExecutor() as pool:
        found = pool.submit(watch, core, "user=bob&count=4&seconds=30")
        wait_for(lambda: watching(core), "somebody watches")
        register(core, "alice")
        register(core, "bob")
        lines = found.result(30)
    assert kinds(lines) == REGISTERING
    assert [line["incoming"] for line in lines] == [True, False, True, False]
    wait_for(lambda: not watching(core), "the tap is off again")


def test_a_trace_ends_after_its_time(core: CoreProcess) -> None:
    assert watch(core, "seconds=0.2") == []


def test_a_bad_filter_is_refused(core: CoreProcess) -> None:
    with pytest.raises(RefusedError, match="ip: 'x' is not an IP address"):
        watch(core, "ip=x")


def test_a_reader_who_goes_away_is_no_longer_watched_for(core: CoreProcess) -> None:
    lines = ControlClient(core.folder / "run" / "control.sock").lines("/v1/trace?user=carol")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(next, lines)
        wait_for(lambda: watching(core), "somebody watches")
        register(core, "carol")
        assert first.result(30)["method"] == "REGISTER"
    lines.close()
    wait_for(lambda: not watching(core), "the tap is off again")


def test_the_command_prints_a_rung_per_message_and_covers_secrets(core: CoreProcess) -> None:
    argv = [sys.executable, "-m", "sipcore", "trace", "--full", "-n", "4", "--method", "REGISTER"]
    argv += ["--socket", str(core.folder / "run" / "control.sock")]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as command:
        wait_for(lambda: watching(core), "the command watches")
        register(core, "bob")
        out, errors = command.communicate(timeout=30)
    assert (command.returncode, errors) == (0, "")
    assert out.count("▶") == out.count("◀") == 2
    assert 'response="********************************"' in out
    assert "Authorization: Digest" in out


def payload(packet: bytes) -> bytes:
    """The captured message in a HEP packet."""
    at = 6
    while at < len(packet):
        _, kind, size = struct.unpack_from("!HHH", packet, at)
        if kind == 15:
            return packet[at + 6 : at + size]
        at += size
    raise AssertionError(packet)


def test_a_capture_server_gets_each_message_by_udp(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as homer:
        homer.bind(("127.0.0.1", 0))
        homer.settimeout(10)
        more = f'[trace]\nhep = ["127.0.0.1:{homer.getsockname()[1]}"]\n'
        with CoreProcess(tmp_path, more=more) as core:
            register(core, "bob")
            messages = [payload(homer.recv(65535)) for _ in range(4)]
            assert core.counters()["hep_sent"] == 4
    assert [message.split(b" ")[message.startswith(b"SIP")].decode() for message in messages] == REGISTERING
    assert b'response="********' in messages[2]


def test_a_capture_server_gets_each_message_by_tcp_also_after_it_has_come_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as homer:
        homer.settimeout(20)
        more = f'[trace]\nhep = ["127.0.0.1:{homer.getsockname()[1]}"]\ntransport = "tcp"\nsecrets = true\n'
        with CoreProcess(tmp_path, more=more) as core:
            for user in ("alice", "bob"):
                connection, _ = homer.accept()
                with connection, connection.makefile("rb") as stream:
                    time.sleep(0.2)  # until the core has seen its connection
                    register(core, user)
                    packets = [_packet(stream.read) for _ in range(4)]
                assert [b"*****" in payload(packet) for packet in packets] == [False] * 4
                assert f"sip:{user}@".encode() in packets[2]


def _packet(read: Callable[[int], bytes]) -> bytes:
    head = read(6)
    return head + read(int.from_bytes(head[4:], "big") - 6)


def test_the_lines_are_json_for_other_programs(core: CoreProcess) -> None:
    argv = [sys.executable, "-m", "sipcore", "trace", "--json", "-n", "1", "--responses"]
    argv += ["--socket", str(core.folder / "run" / "control.sock")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT) as command:
        wait_for(lambda: watching(core), "the command watches")
        register(core, "bob")
        out, _ = command.communicate(timeout=30)
    assert json.loads(out)["status"] == 401
