"""IO shell: Debian's FRRouting (zebra and vrrpd) as a VRRP peer on a host of the laboratory."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import Signals
from typing import Self

from haagent.lab.namespaces import Host, signal_all, stop
from haagent.lab.topology import VIP
from haagent.vrrp.pdu import virtual_mac

DAEMONS = Path("/usr/lib/frr")
INTERFACE = "vrrp-frr"
MISSING = not (DAEMONS / "vrrpd").exists()
CONFIG = """log file {folder}/log debugging
debug vrrp
interface eth0
 vrrp {vrid} version {version}
 vrrp {vrid} priority {priority}
 vrrp {vrid} advertisement-interval {interval_ms}
"""


class Frr:
    """zebra and vrrpd on `host` until the context ends, and the macvlan that FRR wants to find there."""

    def __init__(
        self,
        host: Host,
        *,
        priority: int,
        interval: float,
        vrid: int = 51,
        version: int = 3,
        vips: Sequence[str] = (VIP,),
    ) -> None:
        self._host, self._vips = host, vips
        self._mac = virtual_mac(vrid, 6 if ":" in vips[0] else 4)
        self._folder = tempfile.TemporaryDirectory(prefix="frr-")
        self._path = Path(self._folder.name)
        lines = [f"vrrp {vrid} {'ipv6' if ':' in vip else 'ip'} {vip}" for vip in vips]
        text = CONFIG.format(
            folder=self._path,
            vrid=vrid,
            version=version,
            priority=priority,
            interval_ms=round(interval * 1000),
        )
        (self._path / "vrrpd.conf").write_text(text + "".join(f" {line}\n" for line in lines))
        (self._path / "zebra.conf").write_text("")
        (self._path / "log").touch()
        for path in (self._path, *self._path.iterdir()):
            shutil.chown(path, "frr", "frr")
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        link = ["ip", "link", "add", INTERFACE, "link", "eth0", "address", self._mac]
        self._ip(*link, "type", "macvlan", "mode", "bridge")
        with self._host.entered():
            for key in ("accept_dad", "accept_ra"):
                Path(f"/proc/sys/net/ipv6/conf/{INTERFACE}/{key}").write_text("0")
        for vip in self._vips:
            self._ip("ip", "addr", "add", f"{vip}/{64 if ':' in vip else 24}", "dev", INTERFACE)
        self._ip("ip", "link", "set", INTERFACE, "up")
        self._start("zebra")
        self._wait((self._path / "zebra.sock").exists, "zebra's socket")
        self._start("vrrpd")
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._processes[::-1]:
            stop(process)
        self._ip("ip", "link", "del", INTERFACE)
        self._folder.cleanup()

    def log(self) -> str:
        """What both have said."""
        return "".join((self._path / name).read_text(errors="replace") for name in ("log", "output"))

    def kill(self) -> None:
        """Kill both."""
        signal_all([process.pid for process in self._processes], Signals.SIGKILL)

    def wait_for(self, text: str, *, timeout: float) -> None:
        """Wait until the log holds `text`."""
        self._wait(lambda: text in self.log(), repr(text), timeout)

    def _start(self, name: str) -> None:
        argv = [str(DAEMONS / name), "-f", str(self._path / f"{name}.conf"), "-P", "0"]
        argv += ["-i", str(self._path / f"{name}.pid"), "-z", str(self._path / "zebra.sock")]
        with (self._path / "output").open("ab") as output:
            argv += ["--vty_socket", str(self._path)]
            self._processes.append(self._host.spawn(argv, stdout=output, stderr=subprocess.STDOUT))

    def _ip(self, *argv: str) -> None:
        with self._host.entered():
            subprocess.run(argv, check=True, timeout=10)

    def _wait(self, true: Callable[[], bool], what: str, timeout: float = 15) -> None:
        end = time.monotonic() + timeout
        while not true():
            assert time.monotonic() < end, f"FRR: no {what} in {timeout} s:\n{self.log()}"
            time.sleep(0.02)
