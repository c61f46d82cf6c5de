"""IO shell: the servers of the comparison with a standby that they tell all: ours, and Kamailio by DMQ.

The standby is on the core of the load generator; only the CPU time of the master is counted.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.sip.servers import (
    PATIENCE,
    Server,
    ServerError,
    free_port,
    kamailio_command,
    pinned,
    running,
    write_config,
)
from sipcore.control.client import ControlClient, CoreUnreachableError

PAIRS = ("kamailio-dmq", "sipcore-standby")
LINKS = ("127.0.0.1", "127.0.0.2")  # our nodes tell their peers apart by address
ROLES = ("MASTER", "BACKUP")
_LINK = """
[replication]
listen = "{listen}:{port}"
peers = ["{peer}:{port}"]
key_file = "{folder}/secret-link"
"""


@contextmanager
def sipcore_standby(
    folder: Path, *, core: int, standby_core: int, users: int, digest: bool
) -> Iterator[tuple[Server, Callable[[], int]]]:
    """Our master with its defaults, in sync with its standby; and how many contacts the standby holds."""
    folder.mkdir()
    port = free_port()
    controls = []
    with ExitStack() as stack:
        for index, on in ((1, standby_core), (0, core)):
            home = folder / ROLES[index]
            config = write_config(home, port=(own := free_port()), users=users, digest=digest)
            (home / "secret-link").write_text("the key of both nodes of the benchmark")
            text = config.read_text().replace("standalone = true", "standalone = false")
            text = text.replace('node = "bench"', f'node = "{ROLES[index]}"')
            text += _LINK.format(listen=LINKS[index], peer=LINKS[1 - index], port=port, folder=home)
            config.write_text(text)
            argv = pinned(on, [sys.executable, "-m", "sipcore", "run", str(config)])
            process = stack.enter_context(running(argv, home / "log"))
            control = ControlClient(home / "run" / "control.sock", PATIENCE)
            controls.append(control)
            _until(lambda control=control: control.get("/v1/status")["ready"], process, home / "log")  # type: ignore[misc]
            server = Server("sipcore-standby", process, own)
        standby, master = controls
        master.put("/v1/role", {"role": "MASTER", "epoch": 1, "reason": "benchmark"})
        _until(lambda: _in_sync(master), server.process, home / "log")
        yield server, lambda: int(standby.get("/v1/status")["contacts"])


@contextmanager
def kamailio_dmq(
    folder: Path, *, core: int, standby_core: int, users: int, digest: bool
) -> Iterator[tuple[Server, Callable[[], int]]]:
    """Kamailio with dmq, dmq_usrloc and dialog's DMQ, and a second one that it knows."""
    folder.mkdir()
    ports = free_port(), free_port()
    with ExitStack() as stack:
        for index, on in ((1, standby_core), (0, core)):
            home = folder / ROLES[index]
            argv = kamailio_command(home, ports[index], users, digest=digest, peer=ports[1 - index])
            process = stack.enter_context(running(pinned(on, argv), home / "log"))
            _until(lambda home=home: _asked(home, "core.uptime") != "", process, home / "log")  # type: ignore[misc]
            server = Server("kamailio-dmq", process, ports[index])
        for home in (folder / role for role in ROLES):
            _until(lambda home=home: str(ports[0]) in (nodes := _asked(home, "dmq.list_nodes"))
                   and str(ports[1]) in nodes, server.process, home / "log")  # type: ignore[misc]  # fmt: skip
        yield server, lambda: _contacts(folder / ROLES[1])


def _in_sync(master: ControlClient) -> bool:
    return any(row.get("peer_synced") for row in master.get("/v1/replication")["peers"].values())


def _asked(home: Path, *words: str) -> str:
    argv = ["kamcmd", "-s", f"unix:{home}/ctl", *words]
    said = subprocess.run(argv, check=False, capture_output=True, text=True)
    return said.stdout if said.returncode == 0 else ""


def _contacts(home: Path) -> int:
    said = _asked(home, "stats.fetch", "usrloc:location_contacts")
    return int(said.partition("contacts:")[2].strip(" \n\t}") or 0)


def _until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            if condition():
                return
        except CoreUnreachableError:
            pass
        time.sleep(0.05)
    raise ServerError(f"{log.parent} is not there:\n" + log.read_text(errors="replace")[-2000:])
