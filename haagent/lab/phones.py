"""IO shell: the users' phones: one `sipcore phone serve` on the client host, driven by JSON lines."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from haagent.lab.errors import LabError
from haagent.lab.ledger import Ledger
from haagent.lab.namespaces import Host, stop
from haagent.lab.pair import DOMAIN
from haagent.lab.topology import VIP, address

PORT = 5060


class Phones:
    """All phones in one process; what they see goes to the ledger."""

    def __init__(self, client: Host, folder: Path, users: tuple[tuple[str, str], ...]) -> None:
        self.ledger = Ledger()
        self._changed = threading.Condition()
        path = folder / "phones"
        path.touch(mode=0o600)
        path.write_text("".join(f"{user}:{password}\n" for user, password in users))
        self._log = folder / "phones.log"
        argv = [sys.executable, "-m", "sipcore", "phone", "serve"]
        argv += ["--local", f"{address('client')}:{PORT}", "--proxy", f"{VIP}:{PORT}"]
        argv += ["--users", str(path), "--domain", DOMAIN]
        with self._log.open("ab") as log:
            self._process = client.spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self._thread = threading.Thread(target=self._gather, name="phones", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def do(self, command: str, **values: object) -> None:
        """Give the phones a command."""
        assert self._process.stdin is not None
        line = json.dumps({"cmd": command, **values}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError as error:
            end = self._log.read_text(errors="replace")[-2000:]
            raise LabError(f"the phones have ended\n{end}") from error

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until what the phones saw makes the condition true."""
        with self._changed:
            return self._changed.wait_for(condition, timeout)

    def close(self) -> None:
        """End the phones."""
        if self._process.poll() is None:
            try:
                self.do("quit")
                self._process.wait(2)
            except (LabError, subprocess.TimeoutExpired):
                pass
        stop(self._process)
        self._thread.join(2)

    def _gather(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            with self._changed:
                self.ledger.on_event(event)
                self._changed.notify_all()
