"""Sans-IO: what of haagent.toml is for the agent of one group, as if there were no other one."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from haagent.config.checks import CheckConfig
from haagent.config.group import OWN, GroupConfig, port_of
from haagent.config.hooks import HookConfig, WebhookConfig
from haagent.config.sections import AgentConfig, ApiConfig
from haagent.errors import ConfigError

Weighing = TypeVar("Weighing", bound=CheckConfig | HookConfig | WebhookConfig)


def of_group(config: AgentConfig, name: str) -> AgentConfig:
    """The file as this group's agent sees it; OWN: the node's own group, which starts the others."""
    group = next((one for one in config.group if one.name == name), None)
    if group is None and name != OWN:
        known = ", ".join(one.name for one in config.group) or "none"
        raise ConfigError(f"group: {name!r} is not in the file ({known})")
    routers = tuple(router for router in config.virtual_router if router.group == name)
    mine = [router.name for router in routers]
    config = msgspec.structs.replace(
        config,
        virtual_router=routers,
        check=tuple(_theirs(config.check, mine)),
        hook=tuple(_theirs(config.hook, mine)),
        webhook=tuple(_theirs(config.webhook, mine)),
    )
    return config if group is None else _apart(config, group)


def vips_of_others(config: AgentConfig, name: str) -> frozenset[str]:
    """The addresses that this group must not take for leftovers of its own."""
    others = [router for router in config.virtual_router if router.group != name]
    return frozenset(str(vip) for router in others for vip in router.vips)


def _apart(config: AgentConfig, group: GroupConfig) -> AgentConfig:
    """Files, ports and history of its own; no SIP core, no device; the FIFO's reader is the own group's."""
    peer = config.peer and msgspec.structs.replace(config.peer, port=port_of(config, group))
    witness = config.witness
    return msgspec.structs.replace(
        config,
        group=(),
        witness=witness and msgspec.structs.replace(witness, name=f"{witness.name}.{group.name}"),
        core=None,
        watchdog=None,  # the machine's one device is the own group's
        peer=peer,
        api=None if group.listen is None else ApiConfig(listen=group.listen),
        hooks=msgspec.structs.replace(config.hooks, fifo_command=()),
        run_dir=f"{config.run_dir}/{group.name}",
        state_dir=f"{config.state_dir}/{group.name}",
    )


def _theirs(some: Iterable[Weighing], mine: list[str]) -> Iterable[Weighing]:
    """Those that name no virtual router (they are everybody's), or one of these."""
    for one in some:
        named = tuple(name for name in one.routers if name in mine)
        if named or not one.routers:
            yield msgspec.structs.replace(one, routers=named)
