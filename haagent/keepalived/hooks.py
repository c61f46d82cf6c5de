"""Sans-IO: notify lines of keepalived.conf -> [[hook]] and [hooks] of haagent.toml."""

import re
from collections.abc import Iterator, Sequence

from haagent.keepalived import toml
from haagent.keepalived.command import command_of
from haagent.keepalived.groups import members
from haagent.keepalived.notes import Note
from haagent.keepalived.parse import Statement, inside

MAX_NAME = 64
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")

STATES = {
    "notify": (),
    "notify_master": ("MASTER",),
    "notify_backup": ("BACKUP",),
    "notify_fault": ("FAULT",),
    "notify_stop": ("STOP",),
}
FIFOS = ("notify_fifo", "vrrp_notify_fifo")
FIFO_SCRIPTS = ("notify_fifo_script", "vrrp_notify_fifo_script")


def hook_tables(
    tree: Sequence[Statement], routers: Sequence[tuple[str, Statement]]
) -> tuple[list[str], list[Note]]:
    """The tables, and what there is to say; `routers`: the name that each vrrp_instance has got."""
    notes: list[Note] = []
    defs = [one for top in tree if top.keyword == "global_defs" for one in inside(top)]
    tables = list(_stream(defs, notes))
    default = next((one.value for one in defs if one.keyword == "script_user"), "")
    whole: list[tuple[str, Statement, dict[str, toml.Value]]] = [
        (name, block, {"routers": [name]}) for name, block in routers
    ]
    groups = [top for top in tree if top.keyword == "vrrp_sync_group"]
    for group in groups:
        inside_it = [name for name, block in routers if block.value in members(group)]
        whole.append((group.value, group, {"of": "group", "routers": inside_it}))
        if any(one.keyword == "notify" for one in inside(group)):
            said = "GROUP is told with the name of the node, or of its [[group]] if it has one"
            notes.append(Note(group.place, f"vrrp_sync_group {group.value}: notify: {said}"))
    taken: set[str] = set()
    for name, block, whom in whole:
        for one in inside(block):
            if one.keyword in STATES:
                notes += _user_note(one, default)
                tables.append(_hook(one, _free(f"{name}-{one.keyword}", taken), default, whom))
    return tables, notes


def _free(wanted: str, taken: set[str]) -> str:
    """A name for a hook that no other one has."""
    plain = _NOT_IN_A_NAME.sub("-", wanted)[:MAX_NAME]
    names = (plain, *(f"{plain[: MAX_NAME - 4]}-{number}" for number in range(2, 1000)))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name


def _user_note(one: Statement, default: str) -> list[Note]:
    """keepalived takes root where nobody is named."""
    if len(one.words) > 2 or default:
        return []
    return [Note(one.place, f"{one.keyword}: runs as nobody; add user if it needs another")]


def _hook(one: Statement, name: str, default: str, whom: dict[str, toml.Value]) -> str:
    """`notify "/path with arguments" [user [group]]`; only `notify` itself gets arguments appended."""
    values: dict[str, toml.Value] = {"name": name, "command": command_of(one.value), **whom}
    if STATES[one.keyword]:
        values["states"] = list(STATES[one.keyword])
        values["arguments"] = "none"
    user = one.words[2] if len(one.words) > 2 else default
    if user:
        values["user"] = user
    return toml.table("[[hook]]", values)


def _stream(defs: Sequence[Statement], notes: list[Note]) -> Iterator[str]:
    """One event stream; a second one of keepalived would get the same lines."""
    fifos = [one for one in defs if one.keyword in FIFOS]
    scripts = [one for one in defs if one.keyword in FIFO_SCRIPTS]
    for extra in fifos[1:]:
        notes.append(Note(extra.place, f"{extra.keyword}: there is one event stream, {fifos[0].value}"))
    if not fifos:
        return
    values: dict[str, toml.Value] = {"fifo": fifos[0].value}
    users = [one.words[2] for one in (*fifos[:1], *scripts[:1]) if len(one.words) > 2]
    default = [one.value for one in defs if one.keyword == "script_user"]
    if users or default:
        values["user"] = [*users, *default][0]
    if scripts:
        values["fifo_command"] = command_of(scripts[0].value)
    yield toml.table("[hooks]", values)
