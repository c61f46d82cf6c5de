"""Sans-IO: the two files of a pair beside each other: what must be equal, what must differ."""

from collections.abc import Iterator

from haagent.config import AgentConfig, VirtualRouterConfig
from haagent.doctor.verdict import Verdict, fail, ok, warn

EQUAL = ("vrid", "vips", "advert_interval", "strategy", "version")


def pair_verdicts(ours: AgentConfig, theirs: AgentConfig) -> Iterator[Verdict]:
    """`theirs` is the other node's file."""
    found = [*_nodes(ours, theirs), *_routers(ours, theirs), *_peers(ours, theirs)]
    yield from found or [ok("pair", f"the files of {ours.node} and {theirs.node} go together")]


def _nodes(ours: AgentConfig, theirs: AgentConfig) -> Iterator[Verdict]:
    if ours.node == theirs.node:
        yield fail("pair", f"node: both are {ours.node!r}", "give each node a name of its own")
    if (ours.core is None) != (theirs.core is None):
        yield fail("pair", "[core]: only one of the two has it", "configure it on both, or on neither")


def _routers(ours: AgentConfig, theirs: AgentConfig) -> Iterator[Verdict]:
    there = {router.name: router for router in theirs.virtual_router}
    for router in ours.virtual_router:
        other = there.pop(router.name, None)
        if other is None:
            do = "the names and the number of virtual routers must be the same"
            yield fail("pair", f"virtual_router {router.name!r} is not in the other file", do)
        else:
            yield from _router(router, other)
    for name in there:
        yield fail("pair", f"virtual_router {name!r} is only in the other file", "add it here, or remove it")


def _router(ours: VirtualRouterConfig, theirs: VirtualRouterConfig) -> Iterator[Verdict]:
    for key in EQUAL:
        mine, other = getattr(ours, key, None), getattr(theirs, key, None)
        if key == "vips":
            mine, other = sorted(ours.vips), sorted(theirs.vips)
        if mine != other:
            yield fail("pair", f"{ours.name}.{key}: {mine} here, {other} there", "make them equal")
    if ours.priority == theirs.priority:
        do = "different ones, say 254 and 253, decide who is master (RFC 9568 section 8.3.2)"
        yield warn("pair", f"{ours.name}.priority: {ours.priority} on both", do)
    if ours.preempt != theirs.preempt:
        yield warn("pair", f"{ours.name}.preempt differs", "make them equal: else it depends on who failed")


def _peers(ours: AgentConfig, theirs: AgentConfig) -> Iterator[Verdict]:
    if (ours.peer is None) != (theirs.peer is None):
        yield fail("pair", "[peer]: only one of the two has it", "configure it on both")
    if ours.peer is None or theirs.peer is None:
        return
    if (ours.peer.local, ours.peer.address) != (theirs.peer.address, theirs.peer.local):
        here = f"{ours.peer.local!s} to {ours.peer.address!s}"
        there = f"{theirs.peer.local!s} to {theirs.peer.address!s}"
        yield fail("pair", f"peer: {here} here, {there} there", "one's local is the other's address")
    for key in ("port", "hello", "two_paths"):
        mine, other = getattr(ours.peer, key), getattr(theirs.peer, key)
        if mine != other:
            yield fail("pair", f"peer.{key}: {mine} here, {other} there", "make them equal")
