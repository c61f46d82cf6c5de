"""IO shell: a live pair is upgraded: the standby, a switchover, the other; calls go on all the time."""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from haagent.control.client import AgentUnreachableError, RefusedError
from haagent.lab.demo import accounts, keep_logs
from haagent.lab.errors import LabError
from haagent.lab.pair import Node, Pair, Settings
from haagent.lab.phones import Phones
from haagent.lab.plan import Line
from haagent.lab.rounds import gaps
from haagent.lab.sight import Sort
from haagent.lab.topology import Lan
from haagent.lab.users import Users
from haagent.lab.watch import Watch

RATE = 20.0
PAUSE = 2.0  # between two steps, in which calls are begun that live over the next one
SWITCHOVER = 10.0


@dataclass(frozen=True)
class Software:
    """An installed version: an interpreter, and for a source tree the folder to import from."""

    python: str
    tree: Path | None = None

    @classmethod
    def at(cls, path: Path) -> "Software":
        """A source tree, a virtual environment, or the interpreter of one."""
        if (path / "haagent").is_dir() and (path / "sipcore").is_dir():
            return cls(sys.executable, path.resolve())
        python = path / "bin" / "python" if path.is_dir() else path
        if not os.access(python, os.X_OK):
            raise LabError(f"{path} is neither a source tree, a virtual environment nor an interpreter")
        return cls(str(python.absolute()))

    @property
    def environment(self) -> dict[str, str]:
        """What makes the interpreter import it, and not what lies in the current folder."""
        return {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(self.tree) if self.tree else ""}

    def put_on(self, node: Node) -> None:
        """The node starts its daemons with it from now on."""
        node.python = self.python
        node.wrapper = ("env", *(f"{name}={value}" for name, value in self.environment.items()))

    def accepts(self, config: Path) -> bool:
        """Whether its `sipcore check` finds nothing wrong with a file."""
        argv = [self.python, "-m", "sipcore", "check", str(config)]
        done = subprocess.run(
            argv, env={**os.environ, **self.environment}, capture_output=True, timeout=30, check=False
        )
        return done.returncode == 0


@dataclass(slots=True)
class Upgraded:
    """What came of it."""

    steps: list[Line] = field(default_factory=list)
    users: Line = field(default_factory=dict)
    with_records: bool = True

    def bad(self) -> list[str]:
        """Everything that is not as it should be."""
        found: list[str] = []
        for step in self.steps:
            for name in ("unknown_calls", "wrong_registrations", "problems"):
                found += [f"{step['step']}: {name}: {what}" for what in _list(step.get(name))]
        lost = self.users["lost"]
        assert isinstance(lost, dict)
        found += [f"call {call}: no {', no '.join(lack)}" for call, lack in lost.items()]
        found += [f"{self.users['duplicates']} calls rang twice"] if self.users["duplicates"] else []
        for name in ("missing", "twice", "wrong") if self.with_records else ():
            found += [f"call {call}: record {name}" for call in _list(self.users[f"records_{name}"])]
        return found


class Upgrade:
    """The steps, on a laboratory whose nodes run the old version."""

    def __init__(self, pair: Pair, watch: Watch, users: Users, new: Software) -> None:
        self._pair, self._watch, self._users, self._new = pair, watch, users, new
        self.result = Upgraded()

    def run(self) -> None:
        """Standby b, switchover to it, standby a, switchover back."""
        self._step("both run the old version", lambda: None)
        self._step("node b, the standby, gets the new one", lambda: self._replace("b"))
        self._step("switchover: the new version leads the old one", lambda: self._switch("a", "b"))
        self._step("node a, now the standby, gets the new one", lambda: self._replace("a"))
        self._step("switchover back", lambda: self._switch("b", "a"))
        self.result.users = self._users.finish()

    def _step(self, name: str, work: Callable[[], None]) -> None:
        self._users.begin(f"s{len(self.result.steps)}")
        begin = time.monotonic()
        with self._users.meanwhile():
            work()
        seconds = time.monotonic() - begin
        line: Line = {"step": name, "seconds": round(seconds, 2)}
        line |= self._users.look(self._pair.nodes[self._pair.master()])
        self._users.go_on(PAUSE)
        self._users.until(lambda: None not in gaps(self._watch, begin).values(), SWITCHOVER)
        line |= {"wire": self._wire(), **gaps(self._watch, begin)}
        self.result.steps.append(line)

    def _replace(self, name: str) -> None:
        node = self._pair.nodes[name]
        node.stop()
        self._new.put_on(node)
        node.start()
        self._pair.wait_ready(timeout=40)

    def _switch(self, old: str, new: str) -> None:
        try:
            self._pair.nodes[old].agent.post("/v1/switchover")
        except (AgentUnreachableError, RefusedError) as error:
            raise LabError(f"node {old} does not switch over: {error}") from error
        end = time.monotonic() + SWITCHOVER
        while not self._pair.nodes[new].leads():
            if time.monotonic() > end:
                raise LabError(f"node {new} does not lead {SWITCHOVER:g} s after the switchover")
            time.sleep(0.01)
        self._pair.wait_ready()

    def _wire(self) -> str:
        """The version of the replication channel, as the nodes that can tell it see it."""
        versions = set()
        for node in self._pair.nodes.values():
            try:
                links = node.core.get("/v1/replication")["peers"]
            except (AgentUnreachableError, RefusedError):
                continue
            versions |= {row["version"] for row in links.values() if row.get("version")}
        return ", ".join(str(version) for version in sorted(versions)) or "-"


def run(old: Software, *, strategy: str, transport: str, logs: Path | None) -> Upgraded:
    """Build the laboratory with the old version, upgrade it, take everything away."""
    names = accounts(100)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haagent-upgrade-")))
        stack.callback(keep_logs, folder, logs)
        lan = stack.enter_context(Lan())
        settings = Settings(strategy, users=names)
        pair = Pair(lan, folder, settings)
        with_records = old.accepts(folder / "a" / "sipcore.toml")
        if not with_records:  # the old version does not know them yet: they come with the next config
            pair = Pair(lan, folder, Settings(strategy, users=names, records=False))
        for node in pair.nodes.values():
            old.put_on(node)
        stack.callback(pair.stop)
        pair.start(timeout=40)
        client = lan.hosts["client"]
        watch = stack.enter_context(Watch(client))
        watch.wait_answer(Sort.SIP)
        phones = stack.enter_context(Phones(client, folder, names, transport))
        rng = random.Random("upgrade")  # noqa: S311 - repeatable
        users = Users(pair, phones, [user for user, _ in names], rng, rate=RATE)
        users.register()
        upgrade = Upgrade(pair, watch, users, Software(sys.executable, Path(__file__).parents[2]))
        upgrade.result.with_records = with_records
        upgrade.run()
        return upgrade.result


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
