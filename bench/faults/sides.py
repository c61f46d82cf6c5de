"""IO shell: the pair that a fault strikes, ours with phones and calls, or keepalived with an echo service."""

import json
import random
import time
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import Progress

from bench.contender import Contender, Settings
from bench.faults.history import Calls, Change
from bench.keepalived import Keepalived
from bench.ours import Ours
from haagent.lab.errors import LabError
from haagent.lab.ledger import Ledger
from haagent.lab.pair import Node
from haagent.lab.phones import Phones
from haagent.lab.scenario import Scenario
from haagent.lab.topology import NODES, Lan
from haagent.lab.traffic import Traffic

RATE = 10.0
PATIENCE = 12.0  # a request lost in the gap is repeated after 0.5, 1.5, 3.5 and 7.5 s
STATES = ("MASTER", "BACKUP", "FAULT")


class Side(Contender, Protocol):
    """A contender that also tells its history."""

    def begin(self, name: str) -> None:
        """A fault of this name comes next."""

    def step(self, now: float) -> None:
        """Do what is due: calls, reading of logs."""

    def settle(self) -> None:
        """Finish what the users have begun."""

    def changes(self, since: float) -> list[Change]:
        """The changes of role from then on."""

    def roles(self) -> dict[str, str]:
        """What each agent says that it is."""

    def said(self) -> dict[str, str]:
        """What each node's daemons logged since the fault began."""

    def calls(self, node: str) -> Calls | None:
        """What the users lost; `node` should know all their registrations."""

    def close(self) -> None:
        """End everything."""


class OurSide(Ours):
    """Two agents, two SIP cores, phones that register and call."""

    def __init__(self, lan: Lan, folder: Path, settings: Settings) -> None:
        super().__init__(lan, folder, settings)
        self._lan, self.folder, self._settings = lan, folder, settings
        self._rng = random.Random(0)  # noqa: S311 - the same deeds every time
        self._phones: Phones | None = None
        self._traffic: Traffic | None = None
        self._known: set[str] = set()
        self._log_ends: dict[Path, int] = {}

    def node(self, name: str) -> Node:
        """One machine of the pair."""
        return self.pair.nodes[name]

    @property
    def ledger(self) -> Ledger:
        """The book of the phones."""
        assert self._phones is not None
        return self._phones.ledger

    def begin(self, name: str) -> None:
        """Register everybody, start to call."""
        if self._phones is None:
            self._phones = Phones(self._lan.hosts["client"], self.folder, self._settings.users)
        users = [user for user, _ in self._settings.users]
        self.ledger.registered.clear()
        self.ledger.calls.clear()
        quiet = Progress(console=Console(quiet=True, emoji=False))
        if not Scenario(self._phones, users, self._rng, quiet).register():
            raise LabError(f"only {len(self.ledger.registered)} of {len(users)} users could register")
        self._known = set(self.ledger.registered)
        self._traffic = Traffic(self._phones, users, self._rng, rate=RATE)
        self._traffic.begin(name, time.monotonic())
        self._log_ends = {path: path.stat().st_size for path in self._logs()}

    def step(self, now: float) -> None:
        """Place calls and carry them on."""
        if self._traffic is not None:
            self._traffic.step(now, placing=True)

    def settle(self) -> None:
        """Finish every call, or give it up as lost."""
        assert self._traffic is not None
        end = time.monotonic() + PATIENCE
        while not self._traffic.is_idle and time.monotonic() < end:
            self._traffic.step(time.monotonic(), placing=False)
            time.sleep(0.01)
        self._traffic.forget()

    def changes(self, since: float) -> list[Change]:
        """From the agents' histories; from the disk where the agent does not answer."""
        found = []
        for name, node in self.pair.nodes.items():
            newest = {record["id"]: record for record in node.history() or self._on_disk(name)}
            for record in newest.values():
                at = record.get("monotonic")
                if isinstance(at, float) and at >= since and record["old"] != record["role"]:
                    found.append(Change(at, name, record["role"], record["reason"]))
        return sorted(found, key=lambda change: change.at)

    def roles(self) -> dict[str, str]:
        """Of the agents that answer."""
        said = {name: node.role() for name, node in self.pair.nodes.items()}
        return {name: role for name, role in said.items() if role is not None}

    def said(self) -> dict[str, str]:
        """The new lines of haagent.log and sipcore.log."""
        texts = dict.fromkeys(NODES, "")
        for path in self._logs():
            with path.open(errors="replace") as file:
                file.seek(self._log_ends.get(path, 0))
                texts[path.parent.name] += file.read()
        return texts

    def calls(self, node: str) -> Calls | None:
        """Judged from what the phones saw, and from what the core knows."""
        kept = self.node(node).registered()
        ledger = self.ledger
        missing = sorted(self._known - kept)
        return Calls(len(ledger.calls), ledger.lost(), ledger.duplicates, missing)

    def close(self) -> None:
        """End phones and pair."""
        if self._phones is not None:
            self._phones.close()
        self.stop_all()

    def _logs(self) -> list[Path]:
        return sorted(self.folder.glob("[ab]/*.log"))

    def _on_disk(self, node: str) -> list[dict[str, Any]]:
        path = self.folder / node / "state" / "history.jsonl"
        try:
            return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        except (OSError, ValueError):
            return []


class KeepalivedSide(Keepalived):
    """keepalived; what it does is read in its logs as they grow."""

    def __init__(self, lan: Lan, folder: Path, settings: Settings) -> None:
        super().__init__(lan, folder, settings)
        self._base = folder
        self._read: dict[str, int] = {}
        self._since: dict[str, str] = {}
        self._state: dict[str, str] = {}
        self._changes: list[Change] = []

    def begin(self, name: str) -> None:
        """What was logged before is no news."""
        self.step(time.monotonic())
        self._changes.clear()
        self._since = dict.fromkeys(NODES, "")

    def step(self, now: float) -> None:
        """Read what is new in the logs."""
        for node in NODES:
            path = self._base / node / "keepalived.log"
            if not path.exists():
                continue
            with path.open(errors="replace") as file:
                file.seek(self._read.get(node, 0))
                text = file.read()
                self._read[node] = file.tell()
            self._since[node] = self._since.get(node, "") + text
            for line in text.splitlines():
                self._take_in(node, line, now)

    def settle(self) -> None:
        """There are no users."""

    def changes(self, since: float) -> list[Change]:
        """Stamped when they were read, at most some 10 ms late."""
        return [change for change in self._changes if change.at >= since]

    def roles(self) -> dict[str, str]:
        """The last state of each daemon that runs."""
        self.step(time.monotonic())
        return {node: state for node, state in self._state.items() if self.agent(node)}

    def said(self) -> dict[str, str]:
        """The new lines."""
        return dict(self._since)

    def calls(self, _node: str) -> Calls | None:
        """There are none."""
        return None

    def stop(self, node: str) -> None:
        """End a node's processes; its state is not known any more."""
        super().stop(node)
        self.step(time.monotonic())
        self._state.pop(node, None)

    def close(self) -> None:
        """End both nodes."""
        self.stop_all()

    def _take_in(self, node: str, line: str, now: float) -> None:
        for state in STATES:
            if f"Entering {state} STATE" in line and self._state.get(node) != state:
                self._state[node] = state
                self._changes.append(Change(now, node, state, line.partition(": ")[2]))
