"""IO shell: what the default script costs per request beside the default routes: `python -m bench.script`.

CPU time of a core that takes OPTIONS for a registered user and relays them, the two interleaved.
"""

import gc
import statistics
import sys
import time
from pathlib import Path

from sipcore.default_routes import DefaultRoutes
from sipcore.location.binding import Binding
from sipcore.proxy.call import Routes
from sipcore.role import Role
from sipcore.script import default
from sipcore.script.engine import Script
from sipcore.script.loader import load
from sipcore.script.services import Services
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import request
from tests.kit.sip_pair import Node

REQUESTS = 3000
ROUNDS = 15
CALLER = Hop("192.0.2.1", 5060)


def core_with(kind: str) -> Node:
    """A node with one registered user; `kind`: which routes."""
    node = Node("a")
    node.core.on_role(Role.MASTER, 1, 0.0)
    uri = b"sip:bob@192.0.2.2:5060"
    node.location.save(b"sip:bob@example.test", Binding(uri, call_id=b"x", cseq=1, expires_at=1e6), 0.0)
    proxy = node.core.proxy
    routes: Routes = DefaultRoutes(proxy, node.registrar)
    if kind == "script":
        services = Services(proxy, node.registrar, node.location, node.core.dialogs)
        routes = Script(services, load(Path(default.__file__)))
    proxy.routes = routes
    return node


def microseconds(kind: str, messages: list[bytes]) -> float:
    """CPU time per request."""
    node = core_with(kind)
    feed, take = node.core.feed, node.core.take
    gc.collect()
    gc.disable()
    began = time.process_time()
    for data in messages:
        feed(data, CALLER, 0.0)
        take()
    spent = time.process_time() - began
    gc.enable()
    return spent / len(messages) * 1e6


def main() -> None:
    """Print a line per form and the difference."""
    via = b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-%d"
    messages = [request(b"OPTIONS", via=via % n, call_id=b"c%d" % n) for n in range(REQUESTS)]
    taken: dict[str, list[float]] = {"default routes": [], "script": []}
    for _ in range(ROUNDS):
        for kind, rounds in taken.items():
            rounds.append(microseconds(kind, messages))
    medians = {kind: statistics.median(rounds) for kind, rounds in taken.items()}
    for kind, median in medians.items():
        sys.stdout.write(f"{kind:15} {median:6.2f} us per request\n")
    paired = zip(taken["script"], taken["default routes"], strict=True)
    added = statistics.median(script - plain for script, plain in paired)
    sys.stdout.write(f"{'the script adds':15} {added:6.2f} us\n")


if __name__ == "__main__":
    main()
