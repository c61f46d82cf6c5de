"""Two real SIP cores whose routing script counts in a `local:` store: the count survives the master."""

import socket
from pathlib import Path

from tests.kit.sip_live import PATIENCE, CoreProcess, free_port, wait_for
from tests.kit.sip_streams import options

SCRIPT = """
from sipcore.script import *

@request_route
async def main(call: Call) -> None:
    count = await cache_add(call, "local:calls", "options", 1, 600)
    await append_to_reply(call, f"X-Count: {count}")
    await sl_send_reply(call, 200)
"""


def counted(core: CoreProcess) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(PATIENCE)
        phone.sendto(options(transport="UDP"), (core.address, core.port))
        lines = phone.recv(65535).decode().split("\r\n")
    return next(line for line in lines if line.startswith("X-Count"))


def test_a_counter_of_the_script_goes_on_after_a_power_cut(tmp_path: Path) -> None:
    (tmp_path / "route.py").write_text(SCRIPT)
    more = f'[script]\npath = "{tmp_path}/route.py"\n[[cachedb]]\nurl = "local:calls://"\nreplicate = true\n'
    one, two = (f"127.0.79.{number}:{free_port()}" for number in (1, 2))
    nodes = (("a", 1, (one, two)), ("b", 2, (two, one)))
    a, b = (
        CoreProcess(tmp_path, node=name, address=f"127.0.79.{host}", standalone=False, link=link, more=more)
        for name, host, link in nodes
    )
    with a, b:
        a.role("MASTER", 1)
        wait_for(lambda: peer_has_all(a), "the standby is in sync", b.log)
        assert [counted(a) for _ in range(2)] == ["X-Count: 1", "X-Count: 2"]
        wait_for(lambda: peer_has_all(a), "the standby has the counter", b.log)
        a.kill()
        b.role("MASTER", 2)
        assert counted(b) == "X-Count: 3"


def peer_has_all(core: CoreProcess) -> bool:
    (peer,) = core.client.get("/v1/replication")["peers"].values()
    return bool(peer.get("peer_synced") and peer["lag_events"] == 0)
