"""Sans-IO: the agent's configuration: TOML text in, one checked tree out; errors name key, value, limit."""

import ipaddress
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from haagent.errors import ConfigError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPInterface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

MAX_VIPS = 255  # RFC 9568 section 5.2.5: the count is one octet
MIN_ADVERT_INTERVAL = 0.01
MAX_ADVERT_INTERVAL = 40.95  # 4095 centiseconds, RFC 9568 section 5.2.7
MIN_LEASE = 0.03
MIN_HELLO = 0.001
MAX_HELLO = 1.0

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_AT = re.compile(r" - at `\$\.?(.*?)`$")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")


class Duration(float):
    """Seconds; written as "100ms", "5s", "10m", "1h" or a number of seconds."""


class Switchable(Duration):
    """A duration that may be "off" (0.0)."""


class Address(str):
    """An IP address in its canonical spelling."""

    __slots__ = ()

    @property
    def ip(self) -> IPAddress:
        """The address as an object."""
        return ipaddress.ip_address(str(self))


class Endpoint(str):
    """HOST:PORT or [IPv6]:PORT, checked."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """The part before the port, without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.rpartition(":")[2])


Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class _Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table of the file; an unknown key in it is an error."""


class VirtualRouterConfig(_Section, kw_only=True, frozen=True):
    """[[virtual_router]]: one VRRP instance and its addresses."""

    name: Name
    vrid: Annotated[int, Meta(ge=1, le=255)]
    interface: Annotated[str, Meta(min_length=1, max_length=15)]
    priority: Annotated[int, Meta(ge=1, le=255)] = 100
    advert_interval: Duration = Duration(1.0)
    preempt: bool = False
    vips: Annotated[tuple[Address, ...], Meta(min_length=1, max_length=MAX_VIPS)]
    strategy: Literal["on-master", "on-both"] = "on-master"
    checksum: Literal["rfc5798", "rfc9568"] = "rfc5798"
    lease: Switchable = Switchable(0.09)
    rules: Literal["nftables", "iptables"] = "nftables"


class PeerConfig(_Section, kw_only=True, frozen=True):
    """[peer]: the second path to the other node."""

    local: Address
    address: Address
    port: Annotated[int, Meta(ge=1, le=65535)] = 5405
    key_file: str
    hello: Switchable = Switchable(0.0)
    two_paths: bool = True

    @property
    def connects(self) -> bool:
        """Whether this node opens the TCP connection (the lower address does; the other one listens)."""
        return int(self.local.ip) < int(self.address.ip)


class CoreConfig(_Section, kw_only=True, frozen=True):
    """[core]: the SIP server beside this agent."""

    kind: Literal["sipcore"] = "sipcore"
    control: str = "/run/sipcore/control.sock"


class ApiConfig(_Section, kw_only=True, frozen=True):
    """[api]: read-only HTTP."""

    listen: Endpoint


class LogConfig(_Section, kw_only=True, frozen=True):
    """[log]."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class AgentConfig(_Section, kw_only=True, frozen=True):
    """haagent.toml."""

    node: Name
    virtual_router: Annotated[tuple[VirtualRouterConfig, ...], Meta(min_length=1)]
    state_dir: str = "/var/lib/haagent"
    run_dir: str = "/run/haagent"
    peer: PeerConfig | None = None
    core: CoreConfig | None = None
    api: ApiConfig | None = None
    log: LogConfig = LogConfig()


_SECTIONS: dict[str, type[_Section]] = {
    "": AgentConfig,
    "virtual_router": VirtualRouterConfig,
    "peer": PeerConfig,
    "core": CoreConfig,
    "api": ApiConfig,
    "log": LogConfig,
}


@dataclass(slots=True)
class HostInterface:
    """What the host says of one interface: its addresses with their networks."""

    addresses: tuple[IPInterface, ...]

    @property
    def primary(self) -> ipaddress.IPv4Address | None:
        """The first IPv4 address that is no /32: the source of our advertisements (RFC 9568 section 7.2)."""
        return next(
            (
                a.ip
                for a in self.addresses
                if isinstance(a, ipaddress.IPv4Interface) and a.network.prefixlen < 32
            ),
            None,
        )


def load(text: str) -> AgentConfig:
    """Parse and check a configuration; raises ConfigError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}") from error
    try:
        config = msgspec.convert(raw, AgentConfig, dec_hook=_convert)
    except msgspec.ValidationError as error:
        raise ConfigError(_explained(str(error), raw)) from error
    for problem in _problems(config):
        raise ConfigError(problem)
    return config


def check_against_host(config: AgentConfig, interfaces: Mapping[str, HostInterface]) -> None:
    """Raise ConfigError when the configuration does not fit the host's interfaces (by name)."""
    for index, router in enumerate(config.virtual_router):
        key = f"virtual_router[{index}]"
        interface = interfaces.get(router.interface)
        if interface is None:
            there = ", ".join(sorted(interfaces))
            raise ConfigError(
                f"{key}.interface: {router.interface!r} is not an interface of this host ({there})"
            )
        if interface.primary is None:
            raise ConfigError(f"{key}.interface: {router.interface!r} has no IPv4 address to advertise from")
        networks = [a.network for a in interface.addresses if not a.ip.is_link_local]
        networks = [network for network in networks if network.prefixlen < network.max_prefixlen]
        for vip in router.vips:
            if not any(vip.ip in network for network in networks):
                known = ", ".join(map(str, networks))
                raise ConfigError(f"{key}.vips: {vip!s} is in no network of {router.interface} ({known})")
    _check_peer_address(config, interfaces)


def parse_duration(text: str | float) -> float:
    """Seconds from "100ms", "5s", "10m", "1h" or a number."""
    if isinstance(text, int | float):
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a duration such as "100ms", "5s", "10m" or "1h"')
    return float(match[1]) * _UNITS[match[2]]


def _convert(kind: type, value: object) -> object:
    """Text of the file -> one of our types; a ValueError becomes msgspec's error with its place."""
    if issubclass(kind, Duration) and isinstance(value, str | int | float) and not isinstance(value, bool):
        return kind(0.0 if kind is Switchable and value == "off" else parse_duration(value))
    if kind is Address and isinstance(value, str):
        return Address(ipaddress.ip_address(value))
    if kind is Endpoint and isinstance(value, str):
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise ValueError(f"{value!r} is not HOST:PORT")
        ipaddress.ip_address(host.strip("[]"))
        return Endpoint(value)
    raise ValueError(f"{value!r} is not such a value")


def _explained(text: str, raw: dict[str, object]) -> str:
    """msgspec's sentence with the key in front, its value, and a suggestion for an unknown key."""
    at = _AT.search(text)
    key = at[1] if at else ""
    what = _AT.sub("", text).strip()
    unknown = _UNKNOWN.search(what)
    if unknown is None:
        value = _value_at(raw, key)
        shown = "" if value is None or isinstance(value, dict) or repr(value) in what else f"{value!r}: "
        return f"{key or 'file'}: {shown}{what[0].lower()}{what[1:]}"
    section = _SECTIONS[re.sub(r"\[.*", "", key)]
    near = get_close_matches(unknown[1], section.__struct_fields__, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(section.__struct_fields__)}"
    name = f"{key}.{unknown[1]}" if key else unknown[1]
    return f"{name}: unknown key{hint}"


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
    vrids: set[tuple[str, int]] = set()
    vips: set[str] = set()
    for index, router in enumerate(config.virtual_router):
        key = f"virtual_router[{index}]"
        yield from _interval_problems(key, router)
        if router.name in names:
            yield f"{key}.name: {router.name!r} is the name of an earlier virtual router"
        if (router.interface, router.vrid) in vrids:
            yield f"{key}.vrid: {router.vrid} is used twice on interface {router.interface!r}"
        for vip in router.vips:
            if vip in vips:
                yield f"{key}.vips: {vip!s} stands there twice"
            vips.add(vip)
        if not any(vip.ip.version == 4 for vip in router.vips):
            yield f"{key}.vips: at least one IPv4 address is needed (VRRP over IPv4 carries it)"
        names.add(router.name)
        vrids.add((router.interface, router.vrid))
    if config.peer is not None:
        yield from _peer_problems(config.peer)


def _interval_problems(key: str, router: VirtualRouterConfig) -> Iterator[str]:
    interval, lease = router.advert_interval, router.lease
    if not MIN_ADVERT_INTERVAL <= interval <= MAX_ADVERT_INTERVAL:
        yield f"{key}.advert_interval: {_ms(interval)} is not in 10ms..40950ms"
    if abs(interval * 100 - round(interval * 100)) > 1e-6:
        yield f"{key}.advert_interval: {_ms(interval)} is not a multiple of 10ms (RFC 9568 section 5.2.7)"
    if lease and not MIN_LEASE <= lease <= MAX_ADVERT_INTERVAL:
        yield f'{key}.lease: {_ms(lease)} is not "off" or in 30ms..40950ms'


def _peer_problems(peer: PeerConfig) -> Iterator[str]:
    if peer.local == peer.address:
        yield f"peer.address: {peer.address!s} is also peer.local"
    if peer.local.ip.version != peer.address.ip.version:
        yield f"peer.address: {peer.address!s} is not of the family of peer.local ({peer.local!s})"
    if peer.hello and not MIN_HELLO <= peer.hello <= MAX_HELLO:
        yield f'peer.hello: {_ms(peer.hello)} is not "off" or in 1ms..1000ms'


def _check_peer_address(config: AgentConfig, interfaces: Mapping[str, HostInterface]) -> None:
    if config.peer is None:
        return
    here = {address.ip for interface in interfaces.values() for address in interface.addresses}
    if config.peer.local.ip not in here:
        raise ConfigError(f"peer.local: {config.peer.local!s} is not an address of this host")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:g}ms"
