"""IO shell: the users' phones: `sipcore phone serve` on the client host, driven by JSON lines."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Protocol, Self

from haagent.lab.errors import LabError
from haagent.lab.ledger import Ledger
from haagent.lab.namespaces import stop
from haagent.lab.pair import DOMAIN
from haagent.lab.topology import VIP, address

PORT = 5060
PRIVATE = "192.168.77.1"  # the phones on connections are behind a NAT, as most are
CALLEES = frozenset({"answer", "reject"})  # what the side does that was called


class Starts(Protocol):
    """A host of the laboratory, or a machine farther away."""

    def spawn(
        self, argv: Sequence[str], *, stdin: int | IO[bytes], stdout: int | IO[bytes], stderr: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start a program there; its pipes end here."""


class Phones:
    """All phones; what they see goes to the ledger.

    Over UDP one process has them all. Over TCP a process is one connection to the proxy, so there are two of
    them with half of the users each: no call has both its ends on one connection. They are behind a NAT, so
    nobody but who has their connection reaches them, and they repeat what is not
    answered over TCP, too: else what was under way when a proxy died would be lost with its connection.
    """

    def __init__(
        self, client: Starts, folder: Path, users: tuple[tuple[str, str], ...], transport: str = "udp"
    ) -> None:
        self.ledger = Ledger()
        self._changed = threading.Condition()
        self._log = folder / "phones.log"
        path = folder / "phones"
        path.touch(mode=0o600)
        path.write_text("".join(f"{user}:{password}\n" for user, password in users))
        argv = [sys.executable, "-m", "sipcore", "phone", "serve", "--proxy", f"{VIP}:{PORT}"]
        argv += ["--users", str(path), "--domain", DOMAIN]
        if transport != "udp":
            argv += ["--transport", transport, "--persistent", "--private", PRIVATE]
        self._processes = [
            self._start(client, [*argv, "--local", f"{address('client')}:{PORT + number}"])
            for number in range(1 if transport == "udp" else 2)
        ]
        names = [user for user, _ in users]
        self.halves = [names[number :: len(self._processes)] for number in range(len(self._processes))]
        self._homes = {user: number for number, half in enumerate(self.halves) for user in half}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def do(self, command: str, **values: object) -> None:
        """Give the phone of the user whom it is about a command."""
        if command == "register":
            self.ledger.ask(str(values["user"]))
        self._say(self._processes[self._home(command, values)], {"cmd": command, **values})

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until what the phones saw makes the condition true."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def close(self) -> None:
        """End the phones."""
        for process, thread in self._processes:
            if process.poll() is None:
                try:
                    self._say((process, thread), {"cmd": "quit"})
                    process.wait(2)
                except (LabError, subprocess.TimeoutExpired):
                    pass
            stop(process)
            thread.join(2)

    def _home(self, command: str, values: dict[str, object]) -> int:
        """In which process that user is."""
        call = self.ledger.calls.get(str(values.get("id")))
        if "user" in values:
            user = str(values["user"])
        elif call is None:
            return 0
        else:
            user = call.callee if command in CALLEES or values.get("by") == "callee" else call.caller
        return self._homes.get(user, 0)

    def _start(self, client: Starts, argv: Sequence[str]) -> tuple[subprocess.Popen[bytes], threading.Thread]:
        with self._log.open("ab") as log:
            process = client.spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        thread = threading.Thread(target=self._gather, args=(process,), name="phones", daemon=True)
        thread.start()
        return process, thread

    def _say(
        self, line: tuple[subprocess.Popen[bytes], threading.Thread], command: dict[str, object]
    ) -> None:
        stdin = line[0].stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(command).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            end = self._log.read_text(errors="replace")[-2000:]
            raise LabError(f"the phones have ended\n{end}") from error

    def _gather(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            with self._changed:
                self.ledger.on_event(event)
                self._changed.notify_all()
