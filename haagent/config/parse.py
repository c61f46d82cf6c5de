"""Sans-IO: TOML text in, one checked configuration out; errors name key, value and limit."""

import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches

import msgspec
from msgspec import inspect

from haagent.config.announce import announce_problems
from haagent.config.checks import KINDS, check_problems
from haagent.config.core import CORE_KINDS, core_problems
from haagent.config.group import group_problems
from haagent.config.hooks import hook_problems
from haagent.config.kinds import convert
from haagent.config.peer import peer_problems
from haagent.config.sections import AgentConfig
from haagent.config.virtual_router import router_problems
from haagent.config.watchdog import watchdog_problems
from haagent.config.witness import witness_problems
from haagent.errors import ConfigError

MAX_STARTUP_DELAY = 600.0

_AT = re.compile(r" - at `\$\.?(.*?)`$")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")


def load(text: str) -> AgentConfig:
    """Parse and check a configuration; raises ConfigError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    if isinstance(core := raw.get("core"), dict):
        core.setdefault("kind", "sipcore")
    try:
        config = msgspec.convert(raw, AgentConfig, dec_hook=convert)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(str(error), raw)) from error
    for problem in _problems(config):
        raise ConfigError(problem)
    return config


def _explained(text: str, raw: dict[str, object]) -> str:
    """msgspec's sentence with the key in front, its value, and a suggestion for an unknown key."""
    at = _AT.search(text)
    key = at[1] if at else ""
    what = _AT.sub("", text).strip()
    unknown = _UNKNOWN.search(what)
    if unknown is None:
        value = _value_at(raw, key)
        hint = _kind_hint(key, value)
        shown = "" if value is None or isinstance(value, dict) or repr(value) in what else f"{value!r}: "
        return f"{key or 'file'}: {shown}{what[0].lower()}{what[1:]}{hint}"
    known = _keys_at(key, raw)
    near = get_close_matches(unknown[1], known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
    name = f"{key}.{unknown[1]}" if key else unknown[1]
    return f"{name}: unknown key{hint}"


def _kind_hint(key: str, value: object) -> str:
    """The kinds of check or core there are, or the nearest one."""
    if re.fullmatch(r"check\[\d+\]\.kind|core\.kind", key) is None:
        return ""
    kinds = CORE_KINDS if key == "core.kind" else KINDS
    near = get_close_matches(str(value), kinds, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(kinds)}"


def _keys_at(key: str, raw: dict[str, object]) -> list[str]:
    """The keys of the table that stands at this place; of several kinds of table, those of its own."""
    kind = _struct(inspect.type_info(AgentConfig), None)
    table = _value_at(raw, key)
    tag = table.get("kind") if isinstance(table, dict) else None
    for name in re.findall(r"[A-Za-z_]\w*", key):
        fields = {field.encode_name: field.type for field in kind.fields} if kind is not None else {}
        kind = _struct(fields[name], tag) if name in fields else None
    return [field.encode_name for field in kind.fields] if kind is not None else []


def _struct(kind: inspect.Type, tag: object) -> inspect.StructType | None:
    """The table in an optional table or in an array of tables; of tagged ones that with this tag."""
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.StructType):
        return kind if kind.tag is None or kind.tag == tag else None
    inner = [kind.item_type] if isinstance(kind, inspect.VarTupleType) else []
    inner += kind.types if isinstance(kind, inspect.UnionType) else ()
    return next((found for one in inner if (found := _struct(one, tag)) is not None), None)


def _value_at(raw: object, key: str) -> object:
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(raw, dict):
            raw = raw.get(part)
        elif isinstance(raw, list) and part.isdecimal() and int(part) < len(raw):
            raw = raw[int(part)]
        else:
            return None
    return raw


def _problems(config: AgentConfig) -> Iterator[str]:
    """What no single key shows."""
    names: set[str] = set()
    vrids: set[tuple[str, int, int]] = set()
    vips: set[str] = set()
    for index, router in enumerate(config.virtual_router):
        key = f"virtual_router[{index}]"
        yield from router_problems(key, router)
        if router.name in names:
            yield f"{key}.name: {router.name!r} is the name of an earlier virtual router"
        if (router.interface, router.family, router.vrid) in vrids:
            yield f"{key}.vrid: {router.vrid} is used twice on interface {router.interface!r}"
        for vip in router.vips:
            if vip in vips:
                yield f"{key}.vips: {vip!s} stands there twice"
            vips.add(vip)
        names.add(router.name)
        vrids.add((router.interface, router.family, router.vrid))
    yield from group_problems(config)
    yield from announce_problems(config.announce)
    if config.startup_delay > MAX_STARTUP_DELAY:
        yield f"startup_delay: {config.startup_delay:g}s is more than {MAX_STARTUP_DELAY:g}s"
    if config.peer is not None:
        yield from peer_problems(config.peer)
    if config.core is not None:
        yield from core_problems(config.core)
    if config.watchdog is not None:
        yield from watchdog_problems(config.watchdog)
    yield from hook_problems(config.hooks, config.hook, config.webhook, config.virtual_router)
    if config.witness is not None:
        yield from witness_problems(config.witness)
    yield from check_problems(config.check, config.virtual_router, config.peer)
