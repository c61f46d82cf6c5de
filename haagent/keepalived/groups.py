"""Sans-IO: which of keepalived's virtual routers move together, and the names of our groups for them."""

import re
from collections.abc import Sequence

from haagent.config.group import MAX_GROUPS, OWN
from haagent.keepalived.parse import Statement, inside

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def members(group: Statement) -> list[str]:
    """The instances that a vrrp_sync_group names."""
    lists = [one for one in inside(group) if one.keyword == "group"]
    return [word for one in lists for line in inside(one) for word in line.words]


def assign(instances: Sequence[str], groups: Sequence[Statement]) -> dict[str, str] | None:
    """Instance -> group; whoever moves with the first one is the node's own. None: there are too many."""
    together: dict[str, str] = {}
    for group in groups:
        for name in members(group):
            together.setdefault(name, group.value)
    units = list(dict.fromkeys(together.get(name, name) for name in instances))
    if len(units) > MAX_GROUPS + 1:
        return None
    names: dict[str, str] = dict.fromkeys(units[:1], OWN)
    for unit in units[1:]:
        plain = _NOT_IN_A_NAME.sub("-", unit)[:29] or "group"
        taken = sum(name.startswith(plain) for name in names.values())
        names[unit] = f"{plain}-{taken + 1}" if taken else plain
    return {name: names[together.get(name, name)] for name in instances}
