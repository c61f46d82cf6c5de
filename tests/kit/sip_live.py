"""A real SIP core in a process of its own, and phones on real sockets: on loopback or in namespaces."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from sipcore.control.client import ControlClient, CoreUnreachableError
from sipcore.phone.agent import Event, Phone
from sipcore.phone.link import Trust
from sipcore.phone.wire import Wire

DOMAIN = "example.test"
USERS = {"alice": "secret-a", "bob": "secret-b", "carol": "secret-c", "dave": "secret-d", "erin": "secret-e"}
ROOT = Path(__file__).parents[2]
PATIENCE = 15.0

Spawn = Callable[..., subprocess.Popen[bytes]]


def free_port(address: str = "127.0.0.1") -> int:
    """A UDP port that nobody has now, nor its number for TCP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family) as tcp:
            udp.bind((address, 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind((address, port))
            except OSError:
                continue
            return port


class CoreProcess:
    """`sipcore run` with a config of its own; a context manager that ends it."""

    def __init__(
        self,
        folder: Path,
        *,
        node: str = "a",
        address: str = "127.0.0.1",
        port: int = 0,
        standalone: bool = True,
        link: tuple[str, str] | None = None,
        more: str = "",
        domain: str = DOMAIN,
        spawn: Spawn = subprocess.Popen,
    ) -> None:
        self.address, self.port = address, port or free_port()
        self.folder = folder / node
        self.folder.mkdir()
        self.config = self.folder / "sipcore.toml"
        self.client = ControlClient(self.folder / "run" / "control.sock", timeout=PATIENCE)
        write_shared(folder, domain)
        self._domain = domain
        self.config.write_text(self._toml(folder, node, standalone, link) + more)
        self._spawn = spawn
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        argv = [sys.executable, "-m", "sipcore", "run", str(self.config)]
        with (self.folder / "log").open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.process = self._spawn(argv, stdout=log, stderr=log, **_env(self._spawn, environment))
        wait_for(self._answers, "the core answers", self.log)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def status(self) -> Any:
        """The status by the control API."""
        return self.client.get("/v1/status")

    def counters(self) -> Any:
        """The counters of the status."""
        return self.status()["counters"]

    def role(self, role: str, epoch: int) -> Any:
        """Give it a role."""
        return self.client.put("/v1/role", {"role": role, "epoch": epoch, "reason": "the test says so"})

    def cli(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """The `sipcore` command against this core."""
        return sipcore(*words, "--socket", str(self.folder / "run" / "control.sock"))

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(errors="replace")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return bool(self.status()["ready"])
        except CoreUnreachableError:
            return False

    def _toml(self, shared: Path, node: str, standalone: bool, link: tuple[str, str] | None) -> str:
        text = f"""\
node = "{node}"
domains = ["{self._domain}"]
run_dir = "{self.folder}/run"
standalone = {str(standalone).lower()}
[[listen]]
address = "{self.address}"
port = {self.port}
[auth]
realm = "{self._domain}"
users_file = "{shared}/users"
secret_file = "{shared}/nonce.key"
[registrar]
min_expires = "1s"
"""
        if link is None:
            return text
        return f"""{text}
[replication]
listen = "{link[0]}"
peers = ["{link[1]}"]
key_file = "{shared}/replication.key"
budget = "200ms"
"""


def _env(spawn: Spawn, environment: Mapping[str, str]) -> dict[str, Any]:
    return {"env": environment} if spawn is subprocess.Popen else {}


def write_shared(folder: Path, domain: str = DOMAIN) -> None:
    """The files that both nodes of a pair have in common."""
    lines = [
        f"{user}:{domain}:{hashlib.md5(f'{user}:{domain}:{password}'.encode()).hexdigest()}\n"
        for user, password in USERS.items()
    ]
    (folder / "users").write_text("".join(lines))
    (folder / "nonce.key").write_text("0123456789abcdef0123456789abcdef")
    (folder / "replication.key").write_text("fedcba9876543210fedcba9876543210")


def sipcore(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", "sipcore", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
    )


def wait_for(condition: Callable[[], bool], what: str, log: Callable[[], str] = str) -> None:
    """Wait until it is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}\n{log()}"
        time.sleep(0.01)


class LivePhones:
    """Phones of these users on one socket."""

    def __init__(
        self,
        proxy: tuple[str, int],
        *users: str,
        local: str = "127.0.0.1",
        password: str | None = None,
        transport: str = "udp",
        trust: Trust | None = None,
        domain: str = DOMAIN,
    ) -> None:
        self.wire = Wire(
            local=local,
            proxy=f"[{proxy[0]}]:{proxy[1]}" if ":" in proxy[0] else f"{proxy[0]}:{proxy[1]}",
            domain=domain,
            passwords={user.encode(): (password or USERS[user]).encode() for user in users},
            t1=0.5,
            transport=transport,
            trust=trust,
        )
        self.phone: Phone = self.wire.phone
        self.past: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.wire.link.close()

    def register(self, *users: str, expires: int = 600) -> None:
        """Register these users and see that it worked."""
        for user in users:
            self.phone.register(user.encode(), expires, time.monotonic())
            assert self.until("registered", "register_failed")["event"] == "registered"

    def call(self, name: str, caller: str, called: str) -> None:
        """Call, and wait until it rings at both ends."""
        self.phone.call(name, caller.encode(), called.encode(), time.monotonic())
        self.until("ringing", call=name)
        self.until("progress", call=name)

    def until(self, *names: str, call: str | None = None) -> Event:
        """The next event of these names, of that call if one is named; fails when none comes in time."""
        end = time.monotonic() + PATIENCE
        while (left := end - time.monotonic()) > 0:
            for event in self.phone.events:
                if event["event"] in names and call in (None, event.get("id")):
                    self.phone.events.remove(event)
                    self.past.append(event)
                    return event
            self.wire.wait(left)
        seen = json.dumps(self.past + self.phone.events)
        raise AssertionError(f"none of {names} came, but {seen}")

    def idle(self, seconds: float) -> list[Event]:
        """Let time pass; returns what has happened and was not asked for."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.wire.wait(left)
        return self.phone.events
