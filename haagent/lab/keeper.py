"""IO shell: the background process of `haagent lab up`: it keeps the laboratory and obeys the commands.

One request per connection on a Unix socket: a line of JSON in, a line of JSON out.
"""

import argparse
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from haagent.control.client import AgentUnreachableError, RefusedError
from haagent.lab import faults
from haagent.lab.demo import accounts, strike
from haagent.lab.errors import LabError
from haagent.lab.namespaces import become_root, require_nftables
from haagent.lab.outcome import Fault
from haagent.lab.pair import Pair, Settings
from haagent.lab.topology import NODES, Lan

Answer = dict[str, Any]


def folder() -> Path:
    """Where the laboratory of this user keeps its sockets, configs and logs; nobody else's folder will do."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and Path(runtime).is_dir() else Path("/tmp")  # noqa: S108 - mode 0700 below
    path = base / f"haagent-lab-{os.getuid()}"
    if path.exists() and path.stat().st_uid != os.getuid():
        raise LabError(f"{path} belongs to somebody else")
    return path


def ask(request: Answer, *, timeout: float = 40.0) -> Answer:
    """Send a request to the keeper; LabError when it is not there or says no."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(folder() / "keeper.sock"))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile() as reader:
                line = reader.readline()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise LabError("the laboratory is not up: start it with  haagent lab up") from error
        except TimeoutError as error:
            raise LabError(f"the laboratory did not answer within {timeout:g} s") from error
    if not line:
        raise LabError("the laboratory ended before it answered")
    answer: Answer = json.loads(line)
    if "error" in answer:
        raise LabError(str(answer["error"]))
    return answer


class Keeper:
    """The laboratory that is up."""

    def __init__(self, lan: Lan, pair: Pair, settings: Settings, where: Path) -> None:
        self._lan, self._pair, self._settings, self._where = lan, pair, settings, where
        self._dead: set[str] = set()
        self.ended = False
        self._requests: dict[str, Callable[[Answer], Answer]] = {
            "status": self._status,
            "fault": self._fault,
            "heal": self._heal,
            "down": self._down,
        }

    def answer(self, request: Answer) -> Answer:
        """Do what is asked."""
        try:
            return self._requests[request["do"]](request)
        except (LabError, AgentUnreachableError, RefusedError) as error:
            return {"error": str(error)}

    def _status(self, _request: Answer) -> Answer:
        nodes = {}
        for name, node in self._pair.nodes.items():
            agent, core = node.agent_status(), node.core_status()
            nodes[name] = {"power": name not in self._dead, "agent": agent, "core": core}
        return {
            "pid": os.getpid(),
            "folder": str(self._where),
            "strategy": self._settings.strategy,
            "advert": self._settings.advert,
            "hosts": {name: host.pid for name, host in self._lan.hosts.items()},
            "nodes": nodes,
        }

    def _fault(self, request: Answer) -> Answer:
        fault, name = Fault(request["fault"]), request.get("node") or self._pair.master()
        if name in self._dead:
            raise LabError(f"node {name} has no power: heal it first")
        strike(fault, self._lan, self._pair.nodes[name])
        if fault is Fault.POWER:
            self._dead.add(name)
        return {"node": name}

    def _heal(self, request: Answer) -> Answer:
        names = [request["node"]] if request.get("node") else list(NODES)
        for name in names:
            node = self._pair.nodes[name]
            if name in self._dead:
                self._pair.revive(name)
                self._dead.discard(name)
                continue
            faults.thaw(self._lan.hosts[name].processes())
            self._lan.plug(name, "lan", "sync")
            node.start()
        self._pair.wait_ready()
        return {"nodes": names}

    def _down(self, _request: Answer) -> Answer:
        self.ended = True
        return {"pid": os.getpid()}


def serve(keeper: Keeper, listener: socket.socket) -> None:
    """Answer until somebody asks for the end."""
    while not keeper.ended:
        connection, _ = listener.accept()
        with connection, suppress(OSError, ValueError):
            connection.settimeout(5)
            with connection.makefile("rw") as stream:
                request = json.loads(stream.readline())
                connection.settimeout(None)
                stream.write(json.dumps(keeper.answer(request)) + "\n")


def main() -> int:
    """Build the laboratory, say `ready`, keep it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--strategy", required=True)
    parser.add_argument("--advert", type=float, required=True)
    parser.add_argument("--users", type=int, required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    where = folder()
    try:
        become_root()
        require_nftables()
        with ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            path = where / "keeper.sock"
            listener.bind(str(path))
            stack.callback(path.unlink)
            lan = stack.enter_context(Lan())
            settings = Settings(arguments.strategy, arguments.advert, accounts(arguments.users))
            pair = Pair(lan, where, settings)
            stack.callback(pair.stop)
            pair.start()
            listener.listen()
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            serve(Keeper(lan, pair, settings, where), listener)
    except LabError as error:
        sys.stdout.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
