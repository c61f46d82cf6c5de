"""Sans-IO: a pair with a routing script: the master dies while a route waits."""

from pathlib import Path

from sipcore.message import Request
from sipcore.role import Role
from sipcore.script.engine import Script
from sipcore.script.loader import load
from sipcore.script.services import Services
from tests.kit.sip_channel import Channel
from tests.kit.sip_messages import request
from tests.kit.sip_pair import Node
from tests.kit.sip_proxy import CALLER
from tests.kit.sip_script import HEAD

WAITS = (
    HEAD
    + """
async def work():
    return 1

@request_route
async def main(call):
    await run(work())
    await append_branch(call, "sip:bob@192.0.2.2:5060")
    await relay(call)
"""
)


def scripted(name: str, path: Path) -> tuple[Node, Script]:
    """A node with the script."""
    node = Node(name)
    services = Services(node.core.proxy, node.registrar, node.location, node.core.dialogs)
    script = Script(services, load(path))
    node.core.proxy.routes = script
    return node, script


def invites(node: Node) -> list[bytes]:
    """Where INVITEs go to."""
    return [send.data.split()[1] for send in node.core.take() if send.data.startswith(b"INVITE")]


def test_a_route_that_waited_when_the_master_died_runs_again_on_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "route.py"
    path.write_text(WAITS)
    (old, dead), (new, script) = scripted("a", path), scripted("b", path)
    old.core.on_role(Role.MASTER, 1, 0.0)
    channel = Channel(old.journal, new.journal, 0.0)
    old.core.feed(request(b"INVITE"), CALLER, 0.0)
    assert len(dead.runner.waiting) == 1
    old.flush(0.0)
    channel.carry(0.0)
    new.core.on_role(Role.MASTER, 2, 0.1)
    (run,) = script.runner.begun
    assert isinstance(run.context.request, Request)
    assert run.wait is not None
    run.wait.drop()
    script.runner.resume(run, 0.2, 1)
    assert invites(new) == [b"sip:bob@192.0.2.2:5060"]
    dead.on_standby()


def test_a_standby_forgets_the_routes_that_wait(tmp_path: Path) -> None:
    path = tmp_path / "route.py"
    path.write_text(WAITS)
    node, script = scripted("a", path)
    node.core.on_role(Role.MASTER, 1, 0.0)
    node.core.feed(request(b"INVITE"), CALLER, 0.0)
    node.core.on_role(Role.BACKUP, 2, 0.1)
    script.on_standby()
    assert not script.runner.waiting
    assert invites(node) == []
