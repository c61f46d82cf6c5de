"""IO shell: Debian's named (BIND 9) with one zone on loopback, and nsupdate to change it."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Self

import dns.exception
import dns.message
import dns.query
import pytest

from haagent.lab.namespaces import Host
from tests.kit.sip_live import free_port

CONFIG = """
options {{
    directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session.key";
    listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; empty-zones-enable no;
}};
controls {{}};
zone "{zone}" {{ type master; file "{folder}/zone"; allow-update {{ any; }}; }};
"""
PATIENCE = 15.0


class Named:
    """named for one zone until the context ends; `records` are lines of a zone file after SOA and NS."""

    def __init__(
        self,
        folder: Path,
        records: str,
        *,
        zone: str = "sip.test",
        ttl: int = 60,
        address: str = "127.0.0.1",
        port: int = 0,
        host: Host | None = None,
    ) -> None:
        self.zone, self.address = zone, address
        self.port = port or free_port()
        self._host = host
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        head = f"$TTL {ttl}\n@ SOA ns hostmaster 1 3600 600 86400 {ttl}\n@ NS ns\nns A {address}\n"
        (folder / "zone").write_text(head + records)
        config = CONFIG.format(folder=folder, port=self.port, zone=zone, address=address)
        (folder / "named.conf").write_text(config)

    @property
    def server(self) -> tuple[str, int]:
        """Where it listens."""
        return self.address, self.port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        binary = shutil.which("named", path=f"{os.environ['PATH']}:/usr/sbin")
        if binary is None:
            pytest.skip("named is not installed")
        with (self._folder / "log").open("ab") as log:
            argv = [binary, "-g", "-n", "1", "-c", str(self._folder / "named.conf")]
            spawn = self._host.spawn if self._host is not None else subprocess.Popen
            self.process = spawn(argv, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def freeze(self) -> None:
        """It goes on to take questions and answers none."""
        os.kill(self.process.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self.process.pid}/task")
        while any(" T " not in (task / "stat").read_text() for task in tasks.iterdir()):
            time.sleep(0.01)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def update(self, *lines: str) -> None:
        """Change the zone by nsupdate: "delete a.sip.test A", "add a.sip.test 5 A 127.0.0.9"."""
        text = "\n".join(
            [f"server {self.address} {self.port}", f"zone {self.zone}"]
            + [f"update {line}" for line in lines]
            + ["send", ""]
        )
        with self._network():
            subprocess.run(["nsupdate"], input=text, text=True, check=True, timeout=PATIENCE)

    def log(self) -> str:
        """What it wrote."""
        return (self._folder / "log").read_text(errors="replace")

    def _network(self) -> AbstractContextManager[None]:
        return self._host.entered() if self._host is not None else nullcontext()

    def _answers(self) -> bool:
        query = dns.message.make_query(self.zone, "SOA")
        try:
            with self._network():
                return bool(dns.query.udp(query, self.address, port=self.port, timeout=0.2).answer)
        except (OSError, dns.exception.DNSException):
            time.sleep(0.05)
            return False
