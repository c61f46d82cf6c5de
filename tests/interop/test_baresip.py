"""baresip, a phone that nobody of us wrote, registers and calls through the SIP core: UDP, TCP and TLS."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from haagent.lab.namespaces import Host
from tests.kit.baresip import RTP_PORTS, Baresip
from tests.kit.capture import Capture
from tests.kit.certificates import Authority
from tests.kit.loopback import loopback
from tests.kit.sip_live import PATIENCE, CoreProcess, wait_for

pytestmark = pytest.mark.interop
ADDRESS = "10.77.0.1"  # baresip takes no loopback address
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}


@pytest.fixture
def host() -> Iterator[Host]:
    with loopback("baresip") as host:
        for words in ("link add lan0 type bridge", f"addr add {ADDRESS}/24 dev lan0", "link set lan0 up"):
            assert host.spawn(["ip", *words.split()]).wait(10) == 0
        yield host


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_baresip_registers_calls_hears_and_hangs_up(host: Host, tmp_path: Path, transport: str) -> None:
    authority = Authority(tmp_path)
    proxy = f"sip:{ADDRESS}:{PORTS[transport]};transport={transport}"
    with ExitStack() as stack:
        core = stack.enter_context(
            CoreProcess(
                tmp_path, address=ADDRESS, port=5060, more=authority.listeners(ADDRESS), spawn=host.spawn
            )
        )
        capture = stack.enter_context(Capture(host, "lo"))
        alice, bob = (
            stack.enter_context(
                Baresip(
                    host,
                    tmp_path / user,
                    user,
                    proxy=proxy,
                    address=ADDRESS,
                    port=port,
                    authority=authority.ca,
                )
            )
            for user, port in (("alice", 20000), ("bob", 30000))
        )
        wait_for(lambda: core.status()["contacts"] == 2, "both are registered", alice.log)
        alice.command("dial", "sip:bob@example.test")
        alice.until("CALL_ESTABLISHED")
        bob.until("CALL_ESTABLISHED")
        wait_for(lambda: states(core) == ["CONFIRMED"], "the core follows the call", core.log)
        for phone in (alice, bob):
            wait_until_heard(capture, phone)
        alice.command("hangup")
        bob.until("CALL_CLOSED")
        wait_for(lambda: states(core) == [], "the call is over", core.log)
        assert core.counters()["failures"] == 0, core.log()
        signalling = f"tcp.port == {PORTS[transport]}" if transport != "udp" else "udp.port == 5060"
        assert len(capture.decode(signalling, "frame.number")) > 10
    if transport != "tls":
        methods = {method for [method] in capture.decode("sip.Method", "sip.Method")}
        assert {"REGISTER", "INVITE", "ACK", "BYE"} <= methods
    assert capture.sip_faults() == []


def states(core: CoreProcess) -> list[str]:
    """The states of all calls."""
    return [row["state"] for row in core.client.get("/v1/dialogs")]


def wait_until_heard(capture: Capture, phone: Baresip) -> None:
    """Ten packets of 20 ms of sound have come from this phone."""
    sound = f"udp.srcport >= {phone.rtp} && udp.srcport <= {phone.rtp + RTP_PORTS} && udp.length == 180"
    end = time.monotonic() + PATIENCE
    while len(capture.decode(sound, "frame.number")) < 10:
        assert time.monotonic() < end, f"no sound\n{phone.log()}"
