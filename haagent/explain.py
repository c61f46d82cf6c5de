"""Sans-IO: why a node has its role and what would change it, in sentences."""

from haagent.effects import NodeRole
from haagent.node import Node


def explain(node: Node, core: str, now: float) -> list[str]:
    """From the decision down to its inputs."""
    lines = [f"{node.role.value} with epoch {node.epoch}: {node.reason}"]
    for name, router in node.routers.items():
        deadline = router.deadline
        left = "" if deadline is None else f", next timer in {(deadline - now) * 1000:.0f} ms"
        preempt = "takes" if router.preempt else "does not take"
        lines.append(
            f"router {name}: {router.state.name}, priority {router.priority}{left};"
            f" it {preempt} the role from a master of lower priority"
        )
    lines.append(f"SIP core: {core}")
    peer = node.peer
    if peer is None:
        lines.append("peer channel: not configured; the VRRP timers alone decide")
    elif peer.known is None:
        lines.append("peer channel: nothing heard yet")
    else:
        ready = "ready" if peer.known.ready else "not ready"
        state = "connected" if peer.connected else "not connected"
        lines.append(f"peer channel: {state}; the peer said {peer.known.role.value}, {ready}")
    if node.role is NodeRole.BACKUP and peer is not None and peer.is_fresh(now):
        lines.append("silence on VRRP alone is no reason to take over while the peer says that it serves")
    return lines
