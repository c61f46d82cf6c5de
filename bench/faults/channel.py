"""IO shell: faults of the replication channel that somebody makes."""

import os
import socket
import struct
import sys
from contextlib import suppress

from bench.faults.proc import resident_mb
from bench.faults.stage import Stage
from haagent.lab.namespaces import stop
from haagent.lab.topology import address

REPLICATION = 5070
PEER = 5405
LENGTHS = (0, 1, 16, 17, 2**31, 2**32 - 1)
TLS_HELLO = bytes.fromhex("16030100450100004103030000000000000000")


def poison(stage: Stage) -> None:
    """Strangers write what they like to the replication and peer ports of the master, 3 s long."""
    core = stage.ours.node(stage.old).core_pids()[0]
    before = resident_mb(core)
    stage.strike(lambda: None)
    words = [struct.pack(">I", length) + os.urandom(64) for length in LENGTHS]
    words += [os.urandom(4096), b"", TLS_HELLO, b"GET / HTTP/1.0\r\n\r\n", bytes(100_000)]
    for port in (REPLICATION, PEER):
        for word in words:
            _say(stage, port, word)
            stage.look(0.1)
    stage.look(1)
    stage.fact("core_is_alive", stage.ours.node(stage.old).core_pids() == [core])
    stage.fact("master_core_grew_by_mb", resident_mb(core) - before)
    stage.fact("in_sync", stage.ours.pair.is_ready())


def _say(stage: Stage, port: int, word: bytes) -> None:
    with stage.lan.hosts[stage.new].entered():
        guest = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with guest, suppress(OSError):
        guest.settimeout(0.5)
        guest.connect((address(stage.old, "sync"), port))
        guest.sendall(word)
        guest.settimeout(0.05)
        guest.recv(256)


def wrong_key(stage: Stage) -> None:
    """The standby comes back with another replication key."""
    node = stage.ours.node(stage.new)
    config = stage.ours.folder / stage.new / "sipcore.toml"
    good = config.read_text()
    key = stage.ours.folder / stage.new / "other.key"
    key.write_text("11" * 32 + "\n")
    key.chmod(0o600)
    stage.defer(config.write_text, good)
    stage.touched.add(stage.new)
    other = good.replace(str(stage.ours.folder / "shared" / "replication.key"), str(key))
    stage.strike(lambda: config.write_text(other))
    stage.side.stop(stage.new)
    node.start()
    stage.until(lambda: node.core_status() is not None, 10)
    stage.look(2)
    status = node.core_status() or {}
    peers = stage.ours.node(stage.old).core.get("/v1/replication")
    stage.fact("connected_peers", sum(peer["connected"] for peer in peers["peers"].values()))
    stage.fact("refused", peers["counters"]["refused"])
    stage.fact("contacts_of_the_stranger", float(status.get("contacts", 0)))


def second_standby(stage: Stage) -> None:
    """A third core with the standby's name and key dials the master from another address."""
    folder = stage.ours.folder / "third"
    folder.mkdir(exist_ok=True)
    text = (stage.ours.folder / stage.new / "sipcore.toml").read_text()
    own = address(stage.new, "sync")
    text = text.replace(f'listen = "{own}:{REPLICATION}"', f'listen = "{own}:5071"')
    text = text.replace(str(stage.ours.folder / stage.new / "core"), str(folder)).replace("5060", "5062")
    (folder / "sipcore.toml").write_text(text)
    host = stage.lan.hosts[stage.new]

    def deed() -> object:
        with (folder / "sipcore.log").open("wb") as log:
            argv = [sys.executable, "-m", "sipcore", "run", str(folder / "sipcore.toml")]
            return host.spawn(argv, stdout=log, stderr=log)

    third = stage.strike(deed)
    stage.defer(stop, third)  # type: ignore[arg-type] # a process
    stage.look(4)
    stage.fact("first_standby_in_sync", stage.ours.pair.is_ready())
    stage.look(0.5)
