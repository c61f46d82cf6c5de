"""Sans-IO: vrrp_script, vrrp_track_process, vrrp_track_file and the track_ blocks -> [[check]]."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from haagent.config import AgentConfig
from haagent.keepalived import toml
from haagent.keepalived.command import command_of
from haagent.keepalived.notes import Note
from haagent.keepalived.parse import Statement, inside

HAS_CHECKS = "check" in AgentConfig.__struct_fields__
KINDS = {
    "track_script": "script",
    "track_interface": "interface",
    "track_process": "process",
    "track_file": "file",
}
MAX_WEIGHT = 253
MAX_COUNT = 100
OWNER = 255
_NAME = re.compile(r"[^A-Za-z0-9_.-]")

Router = tuple[str, Mapping[str, toml.Value], "Tracks"]


@dataclass(slots=True)
class Tracks:
    """The track_ blocks that hold for one virtual router."""

    blocks: list[Statement] = field(default_factory=list)

    def add(self, block: Statement) -> None:
        """One more, as from a sync group."""
        self.blocks.append(block)


@dataclass(slots=True)
class _Check:
    """One check with the virtual routers that it is for."""

    kind: str
    name: str
    line: Statement
    weight: int | None
    routers: list[str] = field(default_factory=list)


def tracks_of(instance: Statement) -> Tracks:
    """What stands in the instance itself."""
    return Tracks([one for one in inside(instance) if one.keyword in KINDS])


def check_tables(tree: list[Statement], routers: list[Router]) -> tuple[list[str], list[Note]]:
    """The tables as text, and what could not be carried over."""
    notes: list[Note] = []
    checks: dict[tuple[str, str, int | None], _Check] = {}
    for name, values, tracks in routers:
        for block in tracks.blocks:
            for line in inside(block):
                kind = KINDS.get(block.keyword)
                if kind is None or (kind == "interface" and line.keyword == values.get("interface")):
                    continue  # the virtual router's own interface is watched anyway
                weight = _weight(line)
                key = (kind, line.keyword, weight)
                checks.setdefault(key, _Check(kind, line.keyword, line, weight)).routers.append(name)
    used = {(check.kind, check.name) for check in checks.values()}
    for top in tree:
        kind = {"vrrp_script": "script", "vrrp_track_process": "process", "vrrp_track_file": "file"}.get(
            top.keyword
        )
        if kind is not None and (kind, top.value) not in used:
            notes.append(Note(top.place, f"{top.keyword} {top.value}: nothing tracks it: not carried over"))
    tables = [text for check in checks.values() if (text := _table(tree, check, routers, notes))]
    return tables, notes


def _table(tree: list[Statement], check: _Check, routers: list[Router], notes: list[Note]) -> str:
    place = check.line.place
    if not HAS_CHECKS:
        text = f"{check.kind} {check.name}: this version of haagent has no [[check]]: not carried over"
        notes.append(Note(place, text))
        return ""
    keyword = {"script": "vrrp_script", "process": "vrrp_track_process", "file": "vrrp_track_file"}.get(
        check.kind
    )
    defined = next((top for top in tree if top.keyword == keyword and top.value == check.name), None)
    if keyword is not None and defined is None:
        notes.append(Note(place, f"{check.name}: there is no {keyword} of this name: not carried over"))
        return ""
    block = {one.keyword: one for one in inside(defined)} if defined is not None else {}
    weight = (
        check.weight
        if check.weight is not None
        else _integer(block.get("weight"), -MAX_WEIGHT, MAX_WEIGHT, 0)
    )
    values = _values(tree, check, block, notes)
    if values is None:
        return ""
    suffix = "" if len(set(check.routers)) == len(routers) else f".{check.routers[0]}"
    name = _NAME.sub("-", f"{check.name}{suffix}")[:64]
    table: dict[str, toml.Value] = {"kind": check.kind, "name": name, **values, "weight": weight}
    if len(set(check.routers)) < len(routers):
        table["routers"] = list(dict.fromkeys(check.routers))
    text = toml.table("[[check]]", table)
    owners = [r for r in routers if r[0] in check.routers and r[1].get("priority") == OWNER]
    stuck = [r for r in routers if r[0] in check.routers and not r[1].get("preempt")]
    if weight and (owners or stuck):
        why = (
            "the address owner's priority cannot change" if owners else "with nopreempt a weight needs [peer]"
        )
        notes.append(Note(place, f"{check.name}: {why}: written as a comment"))
        return toml.commented(text)
    return text


def _values(
    tree: list[Statement], check: _Check, block: Mapping[str, Statement], notes: list[Note]
) -> dict[str, toml.Value] | None:
    """The keys of one kind; None with a note when they do not make a check."""
    if check.kind == "interface":
        return {"interface": check.name[:15]}
    if check.kind == "file":
        path = block["file"].value if "file" in block else ""
        return (
            {"path": path, "weigh_content": True} if path.startswith("/") else _missing(check, "file", notes)
        )
    if check.kind == "process":
        program = block["process"].value if "process" in block else ""
        quorum = _integer(block.get("quorum"), 1, MAX_COUNT, 1)
        return {"program": program, "at_least": quorum} if program else _missing(check, "process", notes)
    script = " ".join(block["script"].words[1:]) if "script" in block else ""
    if not script:
        return _missing(check, "script", notes)
    interval = _integer(block.get("interval"), 1, 3600, 1)
    values: dict[str, toml.Value] = {
        "command": command_of(script),
        "interval": f"{interval}s",
        "timeout": f"{min(60, _integer(block.get('timeout'), 1, 3600, interval))}s",
        "rise": _integer(block.get("rise"), 1, MAX_COUNT, 1),
        "fall": _integer(block.get("fall"), 1, MAX_COUNT, 1),
    }
    user = _user(tree, block)
    if user:
        values["user"] = user
    else:
        notes.append(
            Note(block["script"].place, f"{check.name}: runs as nobody; add user if it needs another")
        )
    if "init_fail" in block:
        values["init"] = "down"
    return values


def _missing(check: _Check, key: str, notes: list[Note]) -> dict[str, toml.Value] | None:
    notes.append(Note(check.line.place, f"{check.name}: its definition has no {key}: not carried over"))
    return None


def _user(tree: list[Statement], block: Mapping[str, Statement]) -> str:
    if "user" in block:
        return block["user"].value
    lines = [one for top in tree if top.keyword == "global_defs" for one in inside(top)]
    return next((one.value for one in lines if one.keyword == "script_user"), "")


def _weight(line: Statement) -> int | None:
    """`name weight N [reverse]`."""
    words = list(line.words)
    if "weight" not in words[:-1]:
        return None
    one = Statement(line.place, ("weight", words[words.index("weight") + 1]))
    weight = _integer(one, -MAX_WEIGHT, MAX_WEIGHT, 0)
    return -weight if "reverse" in words else weight


def _integer(one: Statement | None, low: int, high: int, otherwise: int) -> int:
    """keepalived clips what is out of range, or ignores it; so do we."""
    try:
        number = float(one.value) if one is not None else otherwise
    except ValueError:
        return otherwise
    return otherwise if math.isnan(number) else int(min(max(number, low), high))
