"""A pair of Debian's Kamailio under two agents: who answers at the VIP has been told that it is master."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from haagent.lab.topology import VIP, Lan, address
from haagent.lab.watch import wait_until
from tests.integration.haagent.pair import Pair
from tests.kit.kamailio_core import KamailioCore

pytestmark = [pytest.mark.root, pytest.mark.interop]

SIPCORE = '[core]\nkind = "sipcore"\ncontrol = "{base}/core.sock"\n'
CORE = '[core]\nkind = "kamailio"\nrpc = "{rpc}"\npoll = "100ms"\ntimeout = "2s"\n'
RPC = {"a": "unix:{base}/kamailio_rpc.sock", "b": "http://127.0.0.1:8090/RPC"}  # both ways in one pair
OPTIONS = """OPTIONS sip:{vip} SIP/2.0\r
Via: SIP/2.0/UDP {own}:{port};branch=z9hG4bK{number}\r
From: <sip:x@{own}>;tag=1\r
To: <sip:{vip}>\r
Call-ID: {number}\r
CSeq: 1 OPTIONS\r
Content-Length: 0\r
\r
"""

Started = Callable[[], tuple[Pair, dict[str, KamailioCore]]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    with Lan() as lan:
        pair = Pair(lan, tmp_path, vips=f'["{VIP}"]')
        cores: dict[str, KamailioCore] = {}

        def start() -> tuple[Pair, dict[str, KamailioCore]]:
            for name, node in pair.nodes.items():
                old = SIPCORE.format(base=node.base)
                text = node.config.read_text()
                assert old in text
                new = CORE.format(rpc=RPC[name].format(base=node.base))
                node.config.write_text(text.replace(old, new))
                cores[name] = KamailioCore(lan.hosts[name], node.base)
                cores[name].start()
            pair.a.start()
            pair.until(lambda: pair.a.role() == "MASTER", 30)
            pair.b.start()
            pair.until(lambda: pair.settled("a"), 30)
            return pair, cores

        try:
            yield start
        finally:
            pair.stop()
            for core in cores.values():
                core.stop()


class Caller:
    """Asks the VIP who is there."""

    def __init__(self, pair: Pair) -> None:
        with pair.lan.hosts["client"].entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address("client"), 0))
        self._socket.settimeout(0.2)
        self._number = time.monotonic_ns()

    def answer(self) -> str:
        """The reason phrase of the answer; empty when there is none."""
        self._number += 1
        port = self._socket.getsockname()[1]
        text = OPTIONS.format(vip=VIP, own=address("client"), port=port, number=self._number)
        try:
            self._socket.sendto(text.encode(), (VIP, 5060))
            while True:
                said = self._socket.recv(4096).decode()
                if f"Call-ID: {self._number}\r\n" in said:
                    return said.partition("\r\n")[0].removeprefix("SIP/2.0 200 ")
        except OSError:
            return ""


def test_a_takeover_reaches_kamailio_and_one_that_is_killed_or_hangs_hands_over(started: Started) -> None:
    pair, cores = started()
    caller = Caller(pair)
    assert wait_until(lambda: caller.answer() == "a master=1", 30)
    argv = [sys.executable, "-m", "haagent", "switchover", "--wait", "20", "--config", str(pair.a.config)]
    subprocess.run(argv, check=True, capture_output=True)
    assert wait_until(lambda: caller.answer() == "b master=1", 30)
    assert pair.b.history()[-1]["phases"]["core_told_ms"] is not None
    pair.until(lambda: pair.settled("b"), 30)
    assert pair.b.status()["core"]["pid"] == cores["b"].pid

    cores["b"].kill()
    assert wait_until(lambda: caller.answer() == "a master=1", 30)
    pair.until(lambda: pair.b.role() == "FAULT", 30)
    assert "the SIP core is not running" in pair.b.status()["reason"]

    cores["b"].start()
    pair.until(lambda: pair.settled("a"), 30)
    assert wait_until(lambda: role_of_b(pair) == "0", 60)  # the new process has been told, too

    frozen = [str(pid) for pid in cores["a"].pids()]
    subprocess.run(["kill", "-STOP", *frozen], check=True)
    assert wait_until(lambda: caller.answer() == "b master=1", 60)
    assert "is gone: no answer within 2 s" in pair.a.log
    subprocess.run(["kill", "-CONT", *frozen], check=True)
    pair.until(lambda: pair.settled("b"), 60)


def role_of_b(pair: Pair) -> str:
    """What Kamailio of node b thinks."""
    code = (
        "import asyncio, sys; from haagent.notify.jsonrpc import open_rpc\n"
        "async def main():\n"
        "    rpc = open_rpc(sys.argv[1]); print((await rpc.call('pv.shvGet', ['haagent_master']))['value'])\n"
        "    await rpc.close()\n"
        "asyncio.run(main())"
    )
    return pair.b.shell(sys.executable, "-c", code, RPC["b"]).strip()
