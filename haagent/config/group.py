"""Sans-IO: [[group]] of haagent.toml: virtual routers that move on their own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from haagent.config.kinds import Endpoint, Port, Section

if TYPE_CHECKING:
    from haagent.config.sections import AgentConfig

MAX_GROUPS = 16
OWN = ""  # the node's own group: the virtual routers that name none; the SIP core follows it
GroupName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class GroupConfig(Section, frozen=True, kw_only=True):
    """[[group]]: named by `group` of its virtual routers."""

    name: GroupName
    port: Port | None = None
    listen: Endpoint | None = None


GroupConfigs = Annotated[tuple[GroupConfig, ...], Meta(max_length=MAX_GROUPS)]


def group_problems(config: "AgentConfig") -> Iterator[str]:
    """What is wrong with the groups, and with the virtual routers that name one."""
    names = [group.name for group in config.group]
    for index, router in enumerate(config.virtual_router):
        if router.group != OWN and router.group not in names:
            known = ", ".join(names) or "there is no [[group]]"
            yield f"virtual_router[{index}].group: {router.group!r} is no group ({known})"
        if names and router.rules != "nftables":
            yield f"virtual_router[{index}].rules: {router.rules!r}: groups are there for 'nftables' alone"
    if all(router.group != OWN for router in config.virtual_router):
        yield "virtual_router: all are in a [[group]]; those that the SIP core follows are in none"
    ports = [] if config.peer is None else [config.peer.port]
    listens = [] if config.api is None else [config.api.listen]
    for index, group in enumerate(config.group):
        key = f"group[{index}]"
        if names.index(group.name) < index:
            yield f"{key}.name: {group.name!r} is the name of an earlier group"
        if all(router.group != group.name for router in config.virtual_router):
            yield f"{key}.name: no virtual router is in group {group.name!r}"
        if config.peer is None and group.port is not None:
            yield f"{key}.port: there is no [peer]"
        if config.peer is not None and (port := port_of(config, group)) in ports:
            yield f"{key}.port: {port} is in use by [peer] or an earlier group"
        elif config.peer is not None:
            ports.append(port)
        if group.listen is not None and group.listen in listens:
            yield f"{key}.listen: {group.listen!s} is in use by [api] or an earlier group"
        listens += [group.listen] if group.listen is not None else []


def port_of(config: "AgentConfig", group: GroupConfig) -> int:
    """Of its peer channel: its own, or that of [peer] and the group's place in the file."""
    after = config.peer.port + 1 if config.peer is not None else 0
    return group.port or after + config.group.index(group)
