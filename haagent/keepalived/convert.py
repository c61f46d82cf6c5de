"""Sans-IO: the tree of keepalived.conf -> haagent.toml, and a note for each thing that was not carried over.

Only keys that this version's configuration has are written; the text says what there was in place of others.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from haagent.keepalived import toml
from haagent.keepalived.checks import Tracks, check_tables, tracks_of
from haagent.keepalived.groups import assign, members
from haagent.keepalived.hooks import hook_tables
from haagent.keepalived.notes import Note, advice
from haagent.keepalived.parse import Statement, inside

MAX_STARTUP_DELAY = 600.0  # seconds
PEER = """[peer]                                # the second path, which keepalived does not have
local = "198.51.100.11"               # here
address = "198.51.100.12"             # the other node; there the two are the other way round
key_file = "/etc/haagent/peer.key"    # head -c 32 /dev/urandom | base64, the same on both nodes
"""
_NAME = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(slots=True)
class Converted:
    """The text of haagent.toml, and what the operator has to know."""

    text: str = ""
    notes: list[Note] = field(default_factory=list)
    routers: int = 0


@dataclass(slots=True)
class _Router:
    """One vrrp_instance on its way."""

    statement: Statement
    values: dict[str, toml.Value]
    tracks: Tracks


def convert(tree: list[Statement], *, node: str = "") -> Converted:
    """All of it; `node` wins over router_id."""
    done = Converted()
    defs = [one for top in tree if top.keyword == "global_defs" for one in inside(top)]
    version = next((one.value for one in defs if one.keyword == "vrrp_version"), "2")
    name = node or next((one.value for one in defs if one.keyword == "router_id"), "") or "a"
    routers: list[_Router] = []
    for top in tree:
        if top.keyword == "vrrp_instance":
            routers += _instance(top, version, done)
        elif top.keyword == "global_defs":
            for one in inside(top):
                _say(done, one, advice(one.keyword))
        elif top.keyword not in ("vrrp_script", "vrrp_track_process", "vrrp_track_file", "vrrp_sync_group"):
            _say(done, top, advice(top.keyword))
    groups = _sync_groups(tree, routers, done)
    done.routers = len(routers)
    checks, notes = check_tables(tree, [(str(r.values["name"]), r.values, r.tracks) for r in routers])
    hooks, said = hook_tables(tree, [(str(r.values["name"]), r.statement) for r in routers])
    done.notes += notes + said
    head = "# Converted from keepalived.conf; see what `haagent convert` said, then run `haagent doctor`.\n"
    node_line = toml.table("", {"node": _name(name), **_startup(defs)}).lstrip()
    tables = [toml.table("[[virtual_router]]", router.values) for router in routers]
    tables += [toml.table("[[group]]", {"name": group}) for group in groups]
    done.text = "\n".join([head + node_line, *tables, *checks, *hooks, toml.commented(PEER)])
    done.notes.sort(key=lambda note: (note.place.file, note.place.line))
    return done


def _say(done: Converted, statement: Statement, text: str | None) -> None:
    if text is not None:
        done.notes.append(Note(statement.place, text))


def _instance(top: Statement, version: str, done: Converted) -> Iterator[_Router]:
    """One virtual router, or a note why there is none."""
    values: dict[str, toml.Value] = {"name": _name(top.value or "vrrp"), "preempt": True}
    lists: dict[str, list[str]] = {"vips": [], "excluded": [], "unicast_peers": []}
    for one in inside(top):
        _statement(one, values, lists, done)
    version = str(values.pop("version", version))
    vips = _ordered(top, lists, values, done)
    problem = next((f"no {key}" for key in ("vrid", "interface") if key not in values), None)
    if problem is None and not vips:
        problem = "no virtual_ipaddress"
    if problem is not None:
        _say(done, top, f"vrrp_instance {top.value}: {problem}: not carried over")
        return
    values["vips"] = vips
    _dialect(top, version, values, done)
    if values.pop("use_vmac", None) is None:
        values.pop("virtual_mac", None)
    if not values["preempt"] or values.get("preempt_delay") == "0ms":
        values.pop("preempt_delay", None)
    if lists["unicast_peers"]:
        _unicast(top, lists["unicast_peers"], values, done)
    order = ["name", "vrid", "interface", "priority", *values]
    wanted = {key: values[key] for key in dict.fromkeys(order) if key in values}
    yield _Router(top, wanted, tracks_of(top))


def _statement(
    one: Statement, values: dict[str, toml.Value], lists: dict[str, list[str]], done: Converted
) -> None:
    """One line or block of a vrrp_instance."""
    keyword = one.keyword
    numbers = {"virtual_router_id": ("vrid", 1, 255), "priority": ("priority", 1, 255)}
    if keyword in numbers:
        key, low, high = numbers[keyword]
        number = _number(one, low, high, done)
        if number is not None:
            values[key] = int(number)
    elif keyword in ("advert_int", "preempt_delay"):
        seconds = _number(one, 0.01 if keyword == "advert_int" else 0, 1000, done)
        if seconds is not None:
            values["advert_interval" if keyword == "advert_int" else keyword] = f"{round(seconds * 1000)}ms"
    elif keyword == "interface" and 1 <= len(one.value) <= 15:
        values["interface"] = one.value
    elif keyword == "version":
        values["version"] = one.value
    elif keyword == "nopreempt":
        values["preempt"] = False
    elif keyword == "no_accept":
        values["accept"] = False
    elif keyword in ("use_vmac", "vmac_xmit_base"):
        _virtual_mac(one, values, done)
    else:
        _block(one, values, lists, done)


def _virtual_mac(one: Statement, values: dict[str, toml.Value], done: Converted) -> None:
    """keepalived's two words, in either order; without use_vmac the other one means nothing."""
    has_mac = "virtual_mac" in values
    values["virtual_mac"] = "vips" if has_mac or one.keyword == "vmac_xmit_base" else "on"
    if one.keyword == "use_vmac":
        values["use_vmac"] = True
        if one.value:
            _say(done, one, f"use_vmac {one.value}: haagent names the interface by itself")


def _block(
    one: Statement, values: dict[str, toml.Value], lists: dict[str, list[str]], done: Converted
) -> None:
    """Addresses, password, and all that has no key here."""
    keyword = one.keyword
    if keyword in ("virtual_ipaddress", "virtual_ipaddress_excluded"):
        target = lists["vips" if keyword == "virtual_ipaddress" else "excluded"]
        for line in inside(one):
            _vip(line, target, values, done)
    elif keyword == "unicast_peer":
        lists["unicast_peers"] += [
            str(at) for line in inside(one) if (at := _address(line, done)) is not None
        ]
    elif keyword == "unicast_src_ip":
        found = _address(Statement(one.place, one.words[1:] or ("",)), done)
        if found is not None:
            values["source"] = str(found)
    elif keyword == "authentication":
        _authentication(one, values, done)
    elif not keyword.startswith("track_") or keyword in ("track_bfd", "track_src_ip"):
        _say(done, one, advice(keyword))


def _number(one: Statement, low: float, high: float, done: Converted) -> float | None:
    try:
        number = float(one.value)
    except ValueError:
        number = -1.0
    if not low <= number <= high:
        _say(done, one, f"{one.keyword}: {one.value!r} is not in {low:g}..{high:g}: not carried over")
        return None
    return number


def _address(line: Statement, done: Converted) -> object | None:
    try:
        return ip_address(line.keyword.partition("/")[0].partition("%")[0])
    except ValueError:
        _say(done, line, f"{line.keyword!r} is not an address: not carried over")
        return None


def _vip(line: Statement, target: list[str], values: dict[str, toml.Value], done: Converted) -> None:
    found = _address(line, done)
    if found is None:
        return
    if str(found) not in target:
        target.append(str(found))
    words = dict(zip(line.words[1::2], line.words[2::2], strict=False))
    device = words.pop("dev", "")
    if device and device != values.get("interface", device):
        _say(done, line, f"dev {device}: the VIP is put on the virtual router's interface")
    words.pop("scope", None)
    for key in sorted(set(words) - {"brd", "broadcast"}):
        _say(done, line, f"{key}: not carried over: the address is a /32 or /128 without a label")


def _ordered(
    top: Statement, lists: dict[str, list[str]], values: dict[str, toml.Value], done: Converted
) -> list[str]:
    """The VIPs; an IPv6 virtual router begins with a link-local address (RFC 9568 section 5.2.9)."""
    vips = list(dict.fromkeys([*lists["vips"], *lists["excluded"]]))
    if any(ip_address(vip).version == 4 for vip in lists["excluded"]):
        _say(done, top, "virtual_ipaddress_excluded: haagent advertises these too; list them on both nodes")
    if not vips or any(ip_address(vip).version == 4 for vip in vips):
        return vips
    vips.sort(key=lambda vip: not ip_address(vip).is_link_local)
    if not ip_address(vips[0]).is_link_local:
        vips.insert(0, f"fe80::{values.get('vrid', 1)}")
        _say(done, top, f"an IPv6 virtual router begins with a link-local VIP: {vips[0]} was added")
    return vips


def _authentication(one: Statement, values: dict[str, toml.Value], done: Converted) -> None:
    found = {line.keyword: line.value for line in inside(one)}
    if found.get("auth_type", "").upper() != "PASS":
        _say(done, one, f"auth_type {found.get('auth_type', '')}: only PASS of version 2 can be spoken")
        return
    values["password_file"] = f"/etc/haagent/{values['name']}.password"


def _dialect(top: Statement, version: str, values: dict[str, toml.Value], done: Converted) -> None:
    """Version 2 is keepalived's default for IPv4; version 3 knows no password."""
    vips = values["vips"]
    assert isinstance(vips, list)
    has_ipv4 = any(ip_address(vip).version == 4 for vip in vips)
    if version == "2" and has_ipv4:
        values["version"] = 2
        interval = str(values.get("advert_interval", "1000ms"))
        if not re.fullmatch(r"\d+000ms", interval):
            values["advert_interval"] = f"{max(1, round(int(interval[:-2]) / 1000))}s"
            _say(done, top, f"advert_int: version 2 counts whole seconds: {values['advert_interval']}")
        if "password_file" in values:
            path = values["password_file"]
            _say(done, top, f"auth_pass: write its first eight characters into {path} (mode 0600)")
        _say(done, top, "version 2 is kept for a peer that runs keepalived; when both run haagent, take 3")
        return
    interval = str(values.get("advert_interval", "1000ms"))
    rounded = min(40950, max(10, round(int(interval[:-2]) / 10) * 10))
    values["advert_interval"] = f"{rounded}ms"
    if values.pop("password_file", None) is not None:
        _say(done, top, "version 3 has no password (RFC 9568 section 9): [peer] with its key authenticates")


def _unicast(top: Statement, peers: list[str], values: dict[str, toml.Value], done: Converted) -> None:
    vips = values["vips"]
    assert isinstance(vips, list)
    family = 4 if any(ip_address(vip).version == 4 for vip in vips) else 6
    usable = [
        peer for peer in dict.fromkeys(peers) if ip_address(peer).version == family and peer not in vips
    ]
    if len(usable) < len(set(peers)):
        _say(done, top, f"unicast_peer: only those of IPv{family}, as the VIPs are, are carried over")
    if usable:
        values["unicast_peers"] = usable
        if values.get("virtual_mac") == "on":
            values["virtual_mac"] = "vips"
            _say(done, top, "use_vmac: unicast advertisements leave from the interface's own MAC")


def _sync_groups(tree: list[Statement], routers: list[_Router], done: Converted) -> list[str]:
    """What is in one vrrp_sync_group moves together, the rest apart; the names of the groups for that."""
    groups = [top for top in tree if top.keyword == "vrrp_sync_group"]
    for group in groups:
        for one in inside(group):
            if one.keyword.startswith("track_") and one.keyword not in ("track_bfd", "track_src_ip"):
                for router in routers:
                    if router.statement.value in members(group):
                        router.tracks.add(one)
            elif one.keyword != "group":
                _say(done, one, advice(one.keyword))
    assigned = assign([router.statement.value for router in routers], groups)
    if assigned is None:
        text = "too many groups that move apart: all virtual routers of the node move together"
        _say(done, routers[0].statement, text)
        return []
    for router in routers:
        name = assigned[router.statement.value]
        if name:
            router.values["group"] = name
            text = f"moves on its own, as group {name!r}; the SIP core follows those without a group"
            _say(done, router.statement, f"vrrp_instance {router.statement.value}: {text}")
    return [name for name in dict.fromkeys(assigned.values()) if name]


def _startup(defs: list[Statement]) -> dict[str, toml.Value]:
    """vrrp_startup_delay, clipped to what haagent takes."""
    text = next((one.value for one in defs if one.keyword == "vrrp_startup_delay"), "0")
    seconds = float(text) if re.fullmatch(r"\d{1,9}(\.\d+)?", text) else 0.0
    return {"startup_delay": f"{round(min(seconds, MAX_STARTUP_DELAY) * 1000)}ms"} if seconds else {}


def _name(text: str) -> str:
    return _NAME.sub("-", text)[:64] or "a"
