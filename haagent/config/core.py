"""Sans-IO: [core] of haagent.toml: the SIP server beside the agent, a table for each kind."""

from collections.abc import Iterator
from typing import Annotated, get_args
from urllib.parse import urlsplit

from msgspec import Meta

from haagent.config.hooks import Command
from haagent.config.kinds import Duration, Section, milliseconds

MIN_POLL, MAX_POLL = 0.05, 60.0
MIN_TIMEOUT, MAX_TIMEOUT = 0.05, 60.0

Count = Annotated[int, Meta(ge=1, le=100)]
Call = Annotated[tuple[str | int, ...], Meta(min_length=1, max_length=32)]  # a method and its parameters
Calls = Annotated[tuple[Call, ...], Meta(max_length=16)]


class SipcoreConfig(Section, frozen=True, kw_only=True, tag_field="kind", tag="sipcore"):
    """sipcore, or whatever speaks its control API."""

    control: str = "/run/sipcore/control.sock"


class _Polled(Section, frozen=True, kw_only=True, tag_field="kind"):
    """A server that says nothing by itself: it is asked again and again."""

    poll: Duration = Duration(0.5)
    timeout: Duration = Duration(1.0)
    fall: Count = 3


class KamailioConfig(_Polled, frozen=True, kw_only=True, tag="kamailio"):
    """Kamailio, by the JSON-RPC of its module jsonrpcs."""

    rpc: str = "unix:/run/kamailio/kamailio_rpc.sock"
    on_master: Calls = (("pv.shvSet", "haagent_master", "int", 1),)
    on_backup: Calls = (("pv.shvSet", "haagent_master", "int", 0),)


class OpensipsConfig(_Polled, frozen=True, kw_only=True, tag="opensips"):
    """OpenSIPS, by its MI over HTTP."""

    mi: str = "http://127.0.0.1:8888/mi"
    tag: Annotated[str, Meta(pattern=r"^[^/\s]+/[0-9]+$")] = "vip/1"
    pidfile: str = "/run/opensips/opensips.pid"
    set_active: str = "clusterer_shtag_set_active"
    list_tags: str = "clusterer_list_shtags"
    on_master: Calls = ()
    on_backup: Calls = ()


class CommandConfig(_Polled, frozen=True, kw_only=True, tag="command"):
    """Any server: a program tells it its role."""

    on_role: Command
    health: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    pidfile: str = ""
    user: str = ""
    poll: Duration = Duration(1.0)
    timeout: Duration = Duration(5.0)


CoreConfig = SipcoreConfig | KamailioConfig | OpensipsConfig | CommandConfig
PolledConfig = KamailioConfig | OpensipsConfig | CommandConfig
CORE_KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(CoreConfig))


def core_problems(core: CoreConfig) -> Iterator[str]:
    """What is wrong with it."""
    if isinstance(core, SipcoreConfig):
        return
    if not MIN_POLL <= core.poll <= MAX_POLL:
        yield f"core.poll: {milliseconds(core.poll)} is not in 50ms..60s"
    if not MIN_TIMEOUT <= core.timeout <= MAX_TIMEOUT:
        yield f"core.timeout: {milliseconds(core.timeout)} is not in 50ms..60s"
    if isinstance(core, KamailioConfig) and not core.rpc.startswith("unix:/"):
        yield from _url_problems("core.rpc", core.rpc, "unix:/PATH or http://HOST:PORT/PATH")
    elif isinstance(core, OpensipsConfig):
        yield from _url_problems("core.mi", core.mi, "http://HOST:PORT/PATH")
    elif isinstance(core, CommandConfig):
        for key, command in (("on_role", core.on_role), ("health", core.health)):
            if command and not command[0].startswith("/"):
                yield f"core.{key}: {command[0]!r} is not an absolute path"
    if not isinstance(core, CommandConfig):
        for key, calls in (("on_master", core.on_master), ("on_backup", core.on_backup)):
            for index, call in enumerate(calls):
                if not isinstance(call[0], str):
                    yield f"core.{key}[{index}]: {call[0]!r} is not the name of a method"


def _url_problems(key: str, url: str, wanted: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        complete = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        complete = False
    if not complete:
        yield f"{key}: {url!r} is not {wanted}"
