"""One node without sockets: it starts, hears no master, and is told to stop; time is an argument."""

from haagent.effects import Effect
from haagent.node import Node
from haagent.settings import NodeSettings, RouterSettings

router = RouterSettings(
    name="sip", vrid=51, interface="eth0", priority=100, source="192.0.2.11",
    interval=0.1, preempt=False, lease=0.09,
)  # fmt: skip
node = Node(NodeSettings("a", (router,)))


def show(effects: list[Effect], now: float) -> None:
    """A shell would carry them out, in this order."""
    for effect in effects:
        print(f"{now:.3f}", effect)  # noqa: T201


show(node.on_startup(0.0), 0.0)
while (now := node.deadline) is not None and now < 0.5:
    show(node.on_timer(now), now)
show(node.on_shutdown(0.5), 0.5)
