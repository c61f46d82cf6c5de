"""IO shell: a SIP core with a routing script in virtual time; what routes wait for is brought by hand."""

from collections.abc import Coroutine
from pathlib import Path
from textwrap import dedent
from typing import Any

from sipcore.auth.digest import DigestAuth
from sipcore.cachedb.local import LocalCache
from sipcore.cachedb.stores import Stores
from sipcore.proxy import ProxySettings
from sipcore.script.engine import Script
from sipcore.script.loader import load
from sipcore.script.services import LogLine, Services
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import Bench

HEAD = "from sipcore.script import *\n"
RELAY = "@request_route\nasync def main(call: Call) -> None:\n    await lookup(call)\n    await relay(call)\n"


class ScriptBench(Bench):
    """A Bench whose routes are those of a script."""

    def __init__(
        self, folder: Path, text: str, settings: ProxySettings = SETTINGS, *, auth: DigestAuth | None = None
    ) -> None:
        super().__init__(settings, auth=auth)
        self.path = folder / "route.py"
        core = self.core
        services = Services(core.proxy, self.node.registrar, self.node.location, core.dialogs, auth)
        services.stores = Stores([LocalCache("local:test", lambda: self.now)])
        self.write(text)
        self.script = Script(services, load(self.path), time_limit=5.0)
        self.script.subscribe(self.node.location.bus)
        core.proxy.routes = self.script

    def write(self, text: str) -> None:
        """Put another text into the file; `from sipcore.script import *` stands above it."""
        self.path.write_text(HEAD + dedent(text))

    def reload(self) -> None:
        """As the shell does it."""
        self.script.adopt(load(self.path, number=self.script.services.generation.number + 1))

    def bring(self, result: object = None, error: Exception | None = None) -> list[Any]:
        """What the oldest waiting route waits for has come; what is sent upon it."""
        run = self.script.runner.begun.pop(0)
        assert run.wait is not None
        if isinstance(run.wait.work, Coroutine):
            run.wait.work.close()
        self.script.runner.resume(run, self.now, result, error)
        return list(self.heard())

    @property
    def lines(self) -> list[LogLine]:
        """What waits to be logged."""
        return list(self.script.services.lines)

    def line_of(self, text: str) -> str:
        """file:line of the first line of the script with this text in it."""
        lines = self.path.read_text().splitlines()
        return f"{self.path}:{next(n for n, line in enumerate(lines, 1) if text in line)}"
