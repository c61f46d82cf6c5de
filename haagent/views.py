"""Sans-IO: what the command line shows of the agent, as rich tables."""

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.markup import escape
from rich.table import Column, Table

Json = Mapping[str, object]

COLOURS = {"MASTER": "bold green", "BACKUP": "cyan", "FAULT": "bold red", "INIT": "yellow"}
VERDICTS = {"up": "green", "down": "bold red"}
PHASES = {"vip_ms": "VIP", "announced_ms": "announced", "core_told_ms": "core told"}


def is_healthy(state: Json) -> bool:
    """The guard runs, no fault keeps node or group out, and the SIP core (if any) is ready."""
    core = state["core"]
    ready = not isinstance(core, dict) or bool(core.get("ready"))
    groups = [group["status"] for group in _rows(state, "groups")] if "groups" in state else []
    others = all(isinstance(one, dict) and is_healthy(one) for one in groups)
    return bool(state["guard_pid"]) and state["role"] in ("MASTER", "BACKUP") and ready and others


def has_handed_over(state: Json) -> bool:
    """The peer is master and serves, and this node stands by."""
    peer = state["peer"]
    return state["role"] == "BACKUP" and (
        not isinstance(peer, dict) or (peer["role"] == "MASTER" and bool(peer["ready"]))
    )


def has_taken_over(state: Json) -> bool:
    """This node is master, and its SIP core (if any) has been told."""
    core = state["core"]
    return state["role"] == "MASTER" and (not isinstance(core, dict) or core.get("role") == "MASTER")


def status(state: Json) -> Group:
    """The tables of `haagent status`."""
    tables = [_node(state), _routers(_rows(state, "routers"))]
    for name, shown in (("checks", _checks), ("hooks", _hooks), ("groups", _groups)):
        if rows := _rows(state, name) if name in state else []:
            tables.append(shown(rows))
    return Group(*tables)


def history(records: Sequence[Json]) -> Table:
    """The table of `haagent history`: times are milliseconds after the cause was detected."""
    table = Table(
        *(Column(name, no_wrap=True) for name in ("time", "epoch", "role")), "why, and what was done when"
    )
    for record in records:
        phases = record.get("phases")
        known = phases if isinstance(phases, dict) else {}
        table.add_row(
            str(record.get("time", ""))[:23].replace("T", " "),
            str(record.get("epoch", "")),
            _change(record),
            escape(str(record.get("reason", ""))) + _steps(known),
        )
    return table


def explanation(answer: Json) -> Table:
    """The table of `haagent explain`."""
    table = Table("what", "value", show_header=False)
    for key, value in answer.items():
        lines = value if isinstance(value, list) else [value]
        table.add_row(escape(key), escape("\n".join(str(line) for line in lines)))
    return table


def _node(state: Json) -> Table:
    table = Table(title=f"node {state['node']}", show_header=False, title_justify="left")
    table.add_row("role", f"{_role(state['role'])}, epoch {state['epoch']}, {escape(str(state['reason']))}")
    if isinstance(pause := state.get("pause"), dict):
        left = "until resumed" if pause["left"] is None else f"{pause['left']:.0f} s left"
        text = escape(f"by {pause['by']}, {left}")
        table.add_row("[bold yellow]paused[/]", f"takes over only when asked to: {text}")
    if isinstance(planned := state.get("planned"), dict):
        table.add_row("planned", escape(f"a switchover at {planned['at']}, by {planned['by']}"))
    table.add_row("peer", _fields(state["peer"], ("connected", "role", "epoch", "ready", "rtt_ms")))
    table.add_row(
        "SIP core", _fields(state["core"], ("connected", "pid", "role", "epoch", "ready", "synced"))
    )
    if isinstance(witness := state.get("witness"), dict):
        table.add_row("witness", _fields(witness, ("answers", "held", "holder", "epoch")))
    table.add_row("real-time", _fields(state["realtime"], None))
    table.add_row("processes", f"control {state['pid']}, guard {state['guard_pid'] or 'not running'}")
    return table


def _groups(groups: Sequence[Json]) -> Table:
    """What moves on its own; `--group NAME` shows all of one."""
    table = Table("group", "role", "epoch", "why", "VIPs here", title_justify="left")
    for group in groups:
        state = group["status"]
        if not isinstance(state, dict):
            table.add_row(str(group["name"]), "[bold red]no agent[/]", "", "", "")
            continue
        here = [vip for router in state["routers"] if router["vips_present"] for vip in router["vips"]]
        role, why = _role(state["role"]), escape(str(state["reason"]))
        table.add_row(str(group["name"]), role, str(state["epoch"]), why, ", ".join(here) or "-")
    return table


def _routers(routers: Sequence[Json]) -> Table:
    table = Table(
        "router", "VRID", "state", "priority", "interval", "VIPs", "here", "lease", title_justify="left"
    )
    for router in routers:
        vips = router["vips"]
        table.add_row(
            escape(str(router["name"])),
            str(router["vrid"]),
            _role(router["state"]),
            f"{router['effective_priority']} of {router['priority']}",
            f"{router['advert_interval']} s",
            "\n".join(str(vip) for vip in vips) if isinstance(vips, list) else "",
            "yes" if router["vips_present"] else "no",
            f"{router['lease']} s" if router["lease"] != "off" else "off",
        )
    return table


def _checks(checks: Sequence[Json]) -> Table:
    table = Table("check", "kind", "verdict", "weight", "last result", "took", "streak", "next run")
    for check in checks:
        last, took, after = check["last"], check["duration_ms"], check["next_run"]
        table.add_row(
            escape(str(check["name"])),
            str(check["kind"]),
            _verdict(check),
            str(check["weight"]) if check["weight"] else "0 (fault)",
            escape(str(last["reason"])) if isinstance(last, dict) else "none yet",
            "-" if took is None else f"{took} ms",
            str(check["streak"]),
            f"only as {check['when']}" if after is None else f"in {after} s",
        )
    return table


def _hooks(hooks: Sequence[Json]) -> Table:
    table = Table("hook", "kind", "ok", "failed", "too late", "dropped", "waiting", "last")
    for hook in hooks:
        counts = (str(hook[name]) for name in ("ok", "failed", "timeout", "dropped", "waiting"))
        table.add_row(escape(str(hook["name"])), str(hook["kind"]), *counts, escape(str(hook["last"] or "-")))
    return table


def _verdict(check: Json) -> str:
    text = str(check["verdict"])
    return f"[{VERDICTS.get(text, 'yellow')}]{escape(text)}[/]"


def _rows(state: Json, key: str) -> list[Json]:
    value = state[key]
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _fields(value: object, names: Sequence[str] | None) -> str:
    if not isinstance(value, dict):
        return "none"
    shown = names if names is not None else list(value)
    return escape(", ".join(f"{name.replace('_', ' ')} {_word(value.get(name))}" for name in shown))


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _role(name: object) -> str:
    text = str(name)
    colour = COLOURS.get(text)
    return f"[{colour}]{text}[/]" if colour else escape(text)


def _change(record: Json) -> str:
    old, role = _role(record.get("old")), _role(record.get("role"))
    return role if old == role else f"{old} → {role}"


def _steps(phases: Json) -> str:
    done = [(word, phases.get(name)) for name, word in PHASES.items()]
    told = ", ".join(f"{word} {value:.1f} ms" for word, value in done if isinstance(value, int | float))
    return f"\n[dim]{told}[/]" if told else ""
