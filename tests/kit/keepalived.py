"""IO shell: Debian's keepalived as a VRRP peer on a host of the laboratory."""

import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from typing import Self

from haagent.lab.namespaces import Host, signal_all, stop
from haagent.lab.topology import VIP

CONFIG = """
global_defs {{ vrrp_version {version} }}
vrrp_instance sip {{
    state BACKUP
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    advert_int {interval}
    {options}
    virtual_ipaddress {{
        {vips}
    }}
}}
"""


class Keepalived:
    """keepalived on `host` until the context ends; its log is in `log()`."""

    def __init__(
        self,
        host: Host,
        *,
        priority: int,
        interval: float,
        vrid: int = 51,
        options: str = "",
        version: int = 3,
        vips: Sequence[str] = (VIP,),
        more: str = "",
    ) -> None:
        """`more`: further blocks of keepalived.conf."""
        self._host = host
        self._folder = tempfile.TemporaryDirectory(prefix="keepalived-")
        self._path = Path(self._folder.name)
        config = CONFIG.format(
            vrid=vrid,
            priority=priority,
            interval=interval,
            options=options,
            version=version,
            vips="\n        ".join(f"{vip}/{128 if ':' in vip else 32}" for vip in vips),
        )
        (self._path / "keepalived.conf").write_text(config + more)

    def __enter__(self) -> Self:
        files = {"-f": "keepalived.conf", "-p": "main.pid", "-r": "vrrp.pid", "-c": "checkers.pid"}
        argv = ["keepalived", "-n", "-l", "-D", "-P"]
        for option, name in files.items():
            argv += [option, str(self._path / name)]
        with (self._path / "log").open("wb") as log:
            self._process = self._host.spawn(argv, stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *exc: object) -> None:
        stop(self._process)
        self._folder.cleanup()

    def log(self) -> str:
        """What keepalived has said so far."""
        return (self._path / "log").read_text(errors="replace")

    def pids(self) -> list[int]:
        """Its processes: parent and VRRP child."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [self._process.pid, *map(int, children)]

    def signal(self, number: Signals) -> None:
        """Send a signal to all of its processes, the parent first."""
        signal_all(self.pids(), number)

    def wait_for(self, text: str, *, timeout: float) -> None:
        """Wait until the log holds `text`."""
        end = time.monotonic() + timeout
        while text not in self.log():
            assert time.monotonic() < end, f"keepalived did not say {text!r} in {timeout} s:\n{self.log()}"
            time.sleep(0.02)
