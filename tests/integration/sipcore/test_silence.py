"""A BACKUP is silent: it has the virtual IP already, everything is due, and no packet of SIP leaves it."""

import os
import socket
import time
from pathlib import Path

import pytest

from haagent.lab.topology import PORTS, VIP, Lan
from tests.kit.capture import Capture
from tests.kit.core_pair import PORT, Pair
from tests.kit.sip_live import DOMAIN, wait_for
from tests.kit.sip_streams import options

pytestmark = pytest.mark.root
SECONDS = float(os.environ.get("SILENCE_SECONDS", "12"))
MORE = f"""
[[listen]]
address = "{VIP}"
port = {PORT}
transport = "tcp"
[nat]
detect = ["private-contact"]
ping = "options"
ping_interval = "5s"
[dialog]
ping = "both"
ping_interval = "1s"
lifetime = "10s"
"""
MACS = {port.host: port.mac for port in PORTS if port.wire == "lan"}
SAID = "eth.src == {} && (udp || tcp.len > 0)"  # the kernel's own part of a TCP handshake says nothing
STUN = b"\0\1\0\0\x21\x12\xa4\x42" + b"i" * 12


@pytest.mark.parametrize("steps_down", [False, True], ids=["a standby", "a master that steps down"])
@pytest.mark.timeout(180)
def test_a_standby_with_the_address_and_with_everything_due_sends_nothing_until_it_is_master(
    tmp_path: Path, *, steps_down: bool
) -> None:
    with Lan() as lan, Pair(lan, tmp_path, MORE) as pair:
        pair.up("call")
        wait_for(lambda: pair.b.status()["dialogs"] == 1, "the standby has the call", pair.b.log)
        (row,) = pair.b.client.get(f"/v1/location?aor=alice@{DOMAIN}")
        assert row["state"] == "behind NAT"
        name, core = ("a", pair.a) if steps_down else ("b", pair.b)
        if steps_down:
            pair.a.role("BACKUP", 2)
        else:
            pair.a.kill()
            pair.move_vip()
        said = SAID.format(MACS[name])
        with Capture(lan.hosts[name]) as capture:
            with lan.hosts["client"].entered():
                datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                stream = socket.create_connection((VIP, PORT), 10)  # the kernel's: it waits there
            with datagrams, stream:
                datagrams.settimeout(SECONDS)
                stream.sendall(b"\r\n\r\n" + options())
                for data in (STUN, options(2, transport="UDP"), STUN):
                    datagrams.sendto(data, (VIP, PORT))
                with pytest.raises(TimeoutError):
                    datagrams.recv(100)
                status = core.status()
                assert (status["role"], status["contacts"], status["connections"]) == ("BACKUP", 2, {})
                promoted = time.time()
                core.role("MASTER", 3)
                stream.settimeout(10)
                assert stream.recv(2) == b"\r\n"  # what has waited is served now
                datagrams.settimeout(10)
                datagrams.sendto(STUN, (VIP, PORT))
                assert datagrams.recv(100)[:2] == b"\1\1"
            ends = {pair.phones.until("bye_received", call="call")["leg"] for _ in range(2)}
            assert ends == {"caller", "callee"}
            wait_for(lambda: core.counters()["pings_sent"] >= 2, "both are pinged", core.log)
        assert (
            capture.decode(f"{said} && frame.time_epoch < {promoted}", "frame.number", "_ws.col.info") == []
        )
        assert capture.decode(f"{said} && sip && frame.time_epoch >= {promoted}", "frame.number")
        assert core.counters()["failures"] == 0, core.log()
