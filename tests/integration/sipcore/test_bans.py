"""Rate limits and bans on a real SIP core, and the kernel's copy of the bans in a namespace of its own."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.kit.sip_live import CoreProcess, LivePhones, free_port, wait_for
from tests.kit.sip_streams import Streams, answers, options

PIKE = """
[pike]
sampling_time_unit = "2s"
reqs_density_per_unit = 20
remove_latency = "60s"
[bans]
allow = ["::1/128"]
from_pike = "stream"
"""


@pytest.fixture
def streams(tmp_path: Path) -> Iterator[Streams]:
    with Streams(tmp_path, PIKE) as running:
        yield running


def rows(core: CoreProcess) -> list[Any]:
    found: list[Any] = json.loads(core.cli("ban", "list", "--json").stdout)
    return found


def test_a_udp_flood_is_blocked_and_is_no_ban_and_tcp_of_that_address_goes_on(streams: Streams) -> None:
    core = streams.core
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder:
        for number in range(200):
            flooder.sendto(options(number, transport="UDP"), (core.address, core.port))
    wait_for(lambda: core.counters()["dropped_sources"] >= 150, "the flood is dropped")
    (row,) = rows(core)
    assert (row["source"], row["kind"]) == ("127.0.0.1", "block")
    with closing(streams.connect("tcp")) as connection:
        connection.sendall(options(1))
        assert answers(connection, 1).startswith(b"SIP/2.0 200 ")
    assert core.cli("ban", "remove", "127.0.0.1").returncode == 0
    with LivePhones((core.address, core.port), "alice") as phones:
        phones.phone.options("o", b"alice", time.monotonic())
        assert phones.until("options_answered", call="o")["status"] == 200


def test_a_flood_over_tcp_bans_its_source_and_a_peer_on_the_allow_list_is_not_limited(
    streams: Streams,
) -> None:
    core = streams.core
    with closing(streams.connect("tcp6")) as peer:
        peer.sendall(b"".join(options(number, via="[::1]:9") for number in range(100)))
        assert answers(peer, 100).count(b"SIP/2.0 200 ") == 100
    with closing(streams.connect("tcp")) as flooder:
        flooder.sendall(b"".join(options(number) for number in range(100)))
        wait_for(lambda: any(row["kind"] == "ban" for row in rows(core)), "it is banned")
    with suppress(ConnectionError), closing(streams.connect("tcp")) as again:
        again.sendall(options(1))
        assert again.recv(10) == b""
    assert core.counters()["connections_refused_banned_or_blocked"] >= 1
    assert core.status()["bans"] == 1


def test_an_operator_bans_lists_and_lifts(streams: Streams) -> None:
    core = streams.core
    added = core.cli("ban", "add", "127.0.0.1", "--seconds", "600", "--reason", "scanner")
    assert added.returncode == 0, added.stderr
    with LivePhones((core.address, core.port), "alice") as phones:
        phones.phone.options("dropped", b"alice", time.monotonic())
        phones.wire.flush()
        wait_for(lambda: rows(core)[0]["dropped"] >= 1, "it is dropped")
        assert "scanner" in core.cli("ban", "list").stdout
        assert core.cli("ban", "remove", "127.0.0.1").returncode == 0
        assert core.cli("ban", "remove", "127.0.0.1").returncode == 1
        assert phones.until("options_answered", call="dropped")["status"] == 200
    refused = core.cli("ban", "add", "::1")
    assert refused.returncode == 1
    assert "allow-list" in refused.stderr
    assert core.cli("ban", "add", "example.test").returncode == 1


def test_the_exported_ruleset_is_loaded_by_nft_and_drops_only_what_goes_to_the_listeners(
    streams: Streams,
) -> None:
    core = streams.core
    core.cli("ban", "add", "192.0.2.66", "--seconds", "600")
    core.cli("ban", "add", "2001:db8::66", "--seconds", "600")
    text = core.cli("ban", "export").stdout
    listed = in_namespace("nft -f - && nft -f /dev/null && nft -j list table inet sipcore_bans", text)
    assert "192.0.2.66" in listed
    assert "2001:db8::" in listed
    twice = in_namespace("nft -f - && nft list ruleset", text + text)
    assert twice.count("table inet sipcore_bans") == 1
    assert f"tcp . {streams.ports['tls']}" in twice


def in_namespace(script: str, text: str) -> str:
    """Run a shell script in a network namespace of its own."""
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", script],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_kernel_follows_the_ban_list_and_is_clean_again_afterwards(tmp_path: Path) -> None:
    def spawn(argv: list[str], **rest: Any) -> "subprocess.Popen[bytes]":
        script = 'ip link set lo up; ip addr add 192.0.2.66/32 dev lo; exec "$@"'
        return subprocess.Popen(["unshare", "-n", "sh", "-c", script, "sh", *argv], **rest)

    core = CoreProcess(tmp_path, more='[bans]\nexport = "nftables"\n', spawn=spawn)
    with core:
        assert core.process is not None
        namespace = ["nsenter", "-t", str(core.process.pid), "-n"]

        def listed() -> str:
            command = [*namespace, "nft", "list", "ruleset"]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout

        wait_for(lambda: "banned4" in listed(), "the table is there", core.log)
        core.cli("ban", "add", "192.0.2.66", "--seconds", "600")
        wait_for(lambda: "192.0.2.66" in listed(), "the kernel has it")
        before = core.counters()["received"]
        send = f"s.bind(('192.0.2.66', 0)); s.sendto(b'x' * 30, ('127.0.0.1', {core.port}))"
        program = f"import socket; s = socket.socket(2, 2); {send}"
        subprocess.run([*namespace, "python3", "-c", program], check=True, timeout=10)
        wait_for(lambda: "counter packets 1 " in listed(), "the kernel drops it")
        assert core.counters()["received"] == before
        core.cli("ban", "remove", "192.0.2.66")
        wait_for(lambda: "192.0.2.66" not in listed(), "the kernel has forgotten it")
        keeper = subprocess.Popen([*namespace, "sleep", "60"])
        try:
            core.process.terminate()
            core.process.wait(10)
            command = ["nsenter", "-t", str(keeper.pid), "-n", "nft", "list", "ruleset"]
            assert (
                subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout == ""
            )
        finally:
            keeper.terminate()
            keeper.wait(5)


def test_after_a_power_cut_the_standby_has_the_bans_the_blocks_and_the_packet_rules(tmp_path: Path) -> None:
    one, two = (f"127.0.78.{number}:{free_port()}" for number in (1, 2))
    nodes = (("a", 1, (one, two)), ("b", 2, (two, one)))
    a, b = (
        CoreProcess(
            tmp_path,
            node=name,
            address=f"127.0.78.{host}",
            standalone=False,
            link=link,
            more=PIKE,
        )
        for name, host, link in nodes
    )
    with a, b:
        a.role("MASTER", 1)
        wait_for(lambda: b.status()["synced"], "the standby is in sync", b.log)
        assert a.cli("ban", "add", "192.0.2.66", "--seconds", "600", "--reason", "scans").returncode == 0
        wait_for(lambda: [row["reason"] for row in rows(b)] == ["scans"], "the ban", b.log)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder:
            for number in range(40):
                flooder.sendto(options(number, transport="UDP"), (a.address, a.port))
        wait_for(lambda: len(rows(b)) == 2, "the block", b.log)
        a.kill()
        b.role("MASTER", 2)
        assert {(row["source"], row["kind"]) for row in rows(b)} == {
            ("192.0.2.66", "ban"),
            ("127.0.0.1", "block"),
        }
        assert "192.0.2.66 timeout 5" in b.cli("ban", "export").stdout
