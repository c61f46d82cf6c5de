"""Sans-IO: the tables of sipcore.toml and their keys."""

from typing import Annotated, Literal

import msgspec

from sipcore.config.bin import Bin
from sipcore.config.cachedb import CacheStore
from sipcore.config.cdr import Cdr
from sipcore.config.dialog import Dialog
from sipcore.config.kinds import HostPort, Section, Within
from sipcore.config.limits import Limits
from sipcore.config.proxy import Proxy
from sipcore.config.registrar import Auth, Nat, Registrar
from sipcore.config.resolver import Resolver
from sipcore.config.script import Script
from sipcore.config.trace import Trace
from sipcore.config.transport import Bans, Listen, Pike, Tcp, Tls, Udp
from sipcore.duration import Seconds


class Replication(Section, frozen=True):
    """The link to the other node of the pair, and whether answers wait for it."""

    listen: HostPort
    peers: Annotated[tuple[HostPort, ...], msgspec.Meta(min_length=1, max_length=7)]
    key_file: str = ""
    certificate: str = ""
    key: str = ""
    ca: str = ""
    semi_sync: Literal["on", "off", "strict"] = "on"
    budget: Annotated[Seconds, Within(0.001, 1)] = Seconds(0.005)
    semi_sync_kinds: tuple[Literal["contact", "dialog"], ...] = ("contact", "dialog")
    send: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    compress: tuple[HostPort, ...] = ()


class Log(Section, frozen=True):
    """How the log looks and how much of it there is."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SipcoreConfig(Section, frozen=True):
    """The whole file."""

    node: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    domains: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    listen: Annotated[tuple[Listen, ...], msgspec.Meta(min_length=1, max_length=16)]
    auth: Auth
    run_dir: str = "/run/sipcore"
    standalone: bool = False
    limits: Limits = Limits()
    udp: Udp = Udp()
    tcp: Tcp = Tcp()
    tls: Tls = Tls()
    pike: Pike | None = None
    bans: Bans = Bans()
    registrar: Registrar = Registrar()
    nat: Nat = Nat()
    proxy: Proxy = Proxy()
    dialog: Dialog = Dialog()
    cdr: Cdr | None = None
    replication: Replication | None = None
    bin: Bin | None = None
    resolver: Resolver = Resolver()
    script: Script | None = None
    cachedb: Annotated[tuple[CacheStore, ...], msgspec.Meta(max_length=32)] = ()
    log: Log = Log()
    trace: Trace = Trace()
