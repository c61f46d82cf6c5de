"""IO shell: one agent, without peer channel and SIP core, on a host of the laboratory."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from haagent.control.client import AgentUnreachableError, ControlClient
from haagent.lab.namespaces import Host, signal_all, stop
from haagent.lab.topology import VIP
from haagent.lab.watch import wait_until

CONFIG = """
node = "{node}"
state_dir = "{folder}/state"
run_dir = "{folder}/run"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = {priority}
advert_interval = "{interval_ms:g}ms"
preempt = {preempt}
vips = {vips}
{extra}
"""


class Agent:
    """`haagent run` until the context ends."""

    def __init__(
        self,
        host: Host,
        folder: Path,
        *,
        priority: int,
        interval: float,
        preempt: bool = False,
        vips: Sequence[str] = (VIP,),
        extra: str = "",
    ) -> None:
        """`extra`: more lines of [[virtual_router]]; `{folder}` in it is this agent's own."""
        self._host = host
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "haagent.toml"
        self._config.write_text(
            CONFIG.format(
                node=host.name,
                folder=folder,
                priority=priority,
                interval_ms=interval * 1000,
                preempt=str(preempt).lower(),
                vips=json.dumps(list(vips)),
                extra=extra.replace("{folder}", str(folder)),
            )
        )
        self._client = ControlClient(folder / "run" / "control.sock")

    def __enter__(self) -> Self:
        with (self._folder / "log").open("ab") as log:
            argv = [sys.executable, "-m", "haagent", "run", str(self._config)]
            self._process = self._host.spawn(argv, stdout=log, stderr=subprocess.STDOUT)
        assert wait_until(lambda: self.role() in ("MASTER", "BACKUP"), 10), self.log()
        return self

    def __exit__(self, *exc: object) -> None:
        stop(self._process, grace=5)

    def log(self) -> str:
        """What the agent has said."""
        return (self._folder / "log").read_text(errors="replace")

    def status(self) -> dict[str, Any]:
        """Its status; empty while it does not answer."""
        try:
            found: dict[str, Any] = self._client.get("/v1/status")
        except AgentUnreachableError:
            return {}
        return found

    def counters(self) -> dict[str, int]:
        """What its first virtual router has counted."""
        routers = self.status().get("routers") or [{"counters": {}}]
        found: dict[str, int] = routers[0]["counters"]
        return found

    def role(self) -> str:
        """Its role; INIT while it does not answer."""
        return str(self.status().get("role", "INIT"))

    def wait_for(self, role: str, *, timeout: float) -> None:
        """Wait until the agent has this role."""
        assert wait_until(lambda: self.role() == role, timeout), f"not {role} after {timeout} s\n{self.log()}"

    def terminate(self) -> None:
        """Stop it as systemd does."""
        self._process.terminate()
        self._process.wait(5)

    def kill(self) -> None:
        """Kill both of its processes."""
        status = self.status()
        signal_all([status["guard_pid"], status["pid"]], signal.SIGKILL)
        self._process.wait(5)
