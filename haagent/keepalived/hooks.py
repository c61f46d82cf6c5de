"""Sans-IO: notify lines of keepalived.conf -> [[hook]] and [hooks] of haagent.toml."""

from collections.abc import Iterator, Sequence

from haagent.keepalived import toml
from haagent.keepalived.command import command_of
from haagent.keepalived.notes import Note
from haagent.keepalived.parse import Statement, inside

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
    for name, block in routers:
        for one in inside(block):
            if one.keyword in STATES:
                notes += _user_note(one, default)
                tables.append(_hook(one, f"{name}-{one.keyword}"[:64], default, {"routers": [name]}))
    for group in tree:
        if group.keyword != "vrrp_sync_group":
            continue
        lines = [one for one in inside(group) if one.keyword in STATES]
        for number, one in enumerate(lines, 1):
            notes += _user_note(one, default)
            name = f"group-{one.keyword}" if number == 1 else f"group-{one.keyword}-{number}"
            tables.append(_hook(one, name, default, {"of": "group"}))
        if any(one.keyword == "notify" for one in lines):
            said = f"GROUP is told with the name of the node, not {group.value!r}"
            notes.append(Note(group.place, f"vrrp_sync_group {group.value}: notify: {said}"))
    return tables, notes


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
