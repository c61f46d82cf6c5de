"""Two SIP cores behind one virtual IP in the laboratory's LAN, and phones; the VIP is moved by hand."""

import time
from pathlib import Path
from typing import Self

from haagent.lab.topology import VIP, Lan, address
from tests.kit.sip_live import PATIENCE, CoreProcess, LivePhones, wait_for

PORT = 5060


class Pair:
    """Core a is master and has the VIP, core b is its standby; phones on the client host."""

    def __init__(
        self, lan: Lan, folder: Path, more: str = "", users: tuple[str, ...] = ("alice", "bob")
    ) -> None:
        self.lan = lan
        links = {name: f"{address(name, 'sync')}:5070" for name in ("a", "b")}
        self.a, self.b = (
            CoreProcess(
                folder,
                node=name,
                address=VIP,
                port=PORT,
                standalone=False,
                link=(links[name], links[other]),
                more=more,
                spawn=lan.hosts[name].spawn,
            )
            for name, other in ("ab", "ba")
        )
        with lan.hosts["client"].entered():
            self.phones = LivePhones((VIP, PORT), *users, local=address("client"))
        self._users = users

    def __enter__(self) -> Self:
        self.a.start()
        self.b.start()
        self.ip("a", "addr", "add", f"{VIP}/32", "dev", "eth0")
        self.a.role("MASTER", 1)
        wait_for(self.in_sync, "the standby is in sync", self.b.log)
        self.phones.register(*self._users)
        return self

    def __exit__(self, *exc: object) -> None:
        with self.phones, self.a, self.b:
            pass

    def ip(self, host: str, *words: str) -> None:
        """The command `ip` on a host."""
        process = self.lan.hosts[host].spawn(["ip", *words])
        assert process.wait(PATIENCE) == 0

    def in_sync(self) -> bool:
        """Whether the standby has all that the master has."""
        peers = self.a.client.get("/v1/replication")["peers"].values()
        return self.b.status()["synced"] and all(peer.get("peer_synced") for peer in peers)

    def move_vip(self) -> None:
        """From a to b; the phones learn of it."""
        self.ip("a", "addr", "del", f"{VIP}/32", "dev", "eth0")
        self.ip("b", "addr", "add", f"{VIP}/32", "dev", "eth0")
        self.ip("client", "neigh", "flush", "dev", "eth0")  # in place of a gratuitous ARP

    def power_cut(self) -> None:
        """The master is gone; the standby takes over."""
        self.a.kill()
        self.move_vip()
        self.b.role("MASTER", 2)

    def up(self, name: str) -> None:
        """A call that is answered."""
        self.phones.call(name, "alice", "bob")
        self.phones.phone.answer(name, time.monotonic())
        self.phones.until("answered", call=name)
        self.phones.until("established", call=name)
