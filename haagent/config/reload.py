"""Sans-IO: which keys of haagent.toml a running agent takes over, and which need a restart."""

import re
from collections.abc import Iterator

import msgspec

from haagent.config.sections import AgentConfig
from haagent.config.virtual_router import VirtualRouterConfig
from haagent.errors import ConfigError

LIVE = re.compile(
    r"(check|hook|webhook|hooks\.user|announce|startup_delay|log\.level"
    r"|virtual_router\[\d+\]\.(priority|preempt|preempt_delay|vips|accept|auth))\b"
)
PRIORITY_OWNER = 255


def changed_keys(old: AgentConfig, new: AgentConfig) -> list[str]:
    """The keys whose values differ; an array of tables other than the virtual routers counts as one."""
    return list(_differences("", old, new))


def require_live(old: AgentConfig, new: AgentConfig) -> list[str]:
    """The keys that have changed; ConfigError when one of them cannot change while the agent runs."""
    keys = changed_keys(old, new)
    fixed = [key for key in keys if not LIVE.match(key)]
    if fixed:
        raise ConfigError(f"{', '.join(fixed)}: cannot be changed while the agent runs; restart it")
    for index, (before, after) in enumerate(zip(old.virtual_router, new.virtual_router, strict=True)):
        for problem in _router_problems(f"virtual_router[{index}]", before, after):
            raise ConfigError(problem)
    return keys


def _differences(key: str, old: object, new: object) -> Iterator[str]:
    if old == new:
        return
    if key == "virtual_router" and isinstance(old, tuple) and isinstance(new, tuple):
        if [router.name for router in old] != [router.name for router in new]:
            yield key
            return
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{key}[{index}]", before, after)
    elif isinstance(old, msgspec.Struct) and type(old) is type(new):
        for name in old.__struct_fields__:
            yield from _differences(f"{key}.{name}".lstrip("."), getattr(old, name), getattr(new, name))
    else:
        yield key


def _router_problems(key: str, old: VirtualRouterConfig, new: VirtualRouterConfig) -> Iterator[str]:
    """What the rest of the router does not let change."""
    if old.priority != new.priority and PRIORITY_OWNER in (old.priority, new.priority):
        yield f"{key}.priority: {old.priority} to {new.priority}: an address owner (255) needs a restart"
    if old.vips == new.vips and old.accept == new.accept:
        return
    name = "accept" if old.vips == new.vips else "vips"
    if new.rules != "nftables":
        yield f"{key}.{name}: rules = {new.rules!r} cannot change without a gap; restart the agent"
    if old.family != new.family:
        yield f"{key}.vips: another address family is another virtual router; restart the agent"
    drops = new.vips_mismatch == "drop" or (new.version == 2 and new.vips_mismatch != "accept")
    if drops and old.vips != new.vips:
        why = "a node drops advertisements with other addresses than its own and would take over"
        yield f'{key}.vips: {why}; set vips_mismatch = "accept" by a restart before'
