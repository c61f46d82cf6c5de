"""Sans-IO: the configuration file sipcore.toml; what is wrong is named with key, value and limit."""

import difflib
import re
import tomllib
from ipaddress import ip_address
from typing import Annotated, Literal, NoReturn, get_args, get_type_hints

import msgspec

from sipcore.duration import Seconds, parse_duration
from sipcore.errors import ConfigError

_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class HostPort(str):
    """An address to connect to or to listen on; in the file "10.0.0.1:5070" or "[fd88::1]:5070"."""

    __slots__ = ()

    @property
    def pair(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.rpartition(":")
        return host.strip("[]"), int(port)


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Listen(_Section, frozen=True):
    """One socket of the SIP core; the address may be a VIP that this node does not have yet."""

    address: str
    port: Port = 5060
    transport: Literal["udp"] = "udp"


class Auth(_Section, frozen=True):
    """Digest authentication, RFC 7616: the realm and the files with users and with the nonce key."""

    realm: str
    users_file: str
    secret_file: str


class Registrar(_Section, frozen=True):
    """Limits of a registration, RFC 3261 section 10.3."""

    min_expires: Seconds = Seconds(60)
    max_expires: Seconds = Seconds(3600)
    default_expires: Seconds = Seconds(3600)
    max_contacts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


class Proxy(_Section, frozen=True):
    """Limits of a call that is being set up: timer C (RFC 3261 section 16.6), no answer, branches."""

    timer_c: Seconds = Seconds(180)
    no_answer: Seconds = Seconds(180)
    max_branches: Annotated[int, msgspec.Meta(ge=1, le=64)] = 16


class Dialog(_Section, frozen=True):
    """How long a call may last before the core forgets it."""

    lifetime: Seconds = Seconds(12 * 3600)


class Replication(_Section, frozen=True):
    """The link to the other node of the pair, and whether answers wait for it."""

    listen: HostPort
    peers: Annotated[tuple[HostPort, ...], msgspec.Meta(min_length=1, max_length=7)]
    key_file: str
    semi_sync: Literal["on", "off", "strict"] = "on"
    budget: Seconds = Seconds(0.005)


class Log(_Section, frozen=True):
    """How the log looks and how much of it there is."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SipcoreConfig(_Section, frozen=True):
    """The whole file."""

    node: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    domains: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    listen: Annotated[tuple[Listen, ...], msgspec.Meta(min_length=1, max_length=16)]
    auth: Auth
    run_dir: str = "/run/sipcore"
    standalone: bool = False
    registrar: Registrar = Registrar()
    proxy: Proxy = Proxy()
    dialog: Dialog = Dialog()
    replication: Replication | None = None
    log: Log = Log()


# Least and greatest duration of each key, in seconds.
_LIMITS = {
    "registrar.min_expires": (
        1.0,
        3600.0,
    ),  # RFC 3261 section 10.3: at most an hour may be refused as too brief
    "registrar.max_expires": (1.0, 604800.0),
    "registrar.default_expires": (1.0, 604800.0),
    "proxy.timer_c": (1.0, 3600.0),
    "proxy.no_answer": (1.0, 3600.0),
    "dialog.lifetime": (60.0, 604800.0),
    "replication.budget": (0.001, 1.0),
}


def parse_config(text: str) -> SipcoreConfig:
    """Read the text of sipcore.toml; a ConfigError names the key, the value and the limit."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not a TOML file: {error}") from error
    try:
        config = msgspec.convert(raw, SipcoreConfig, dec_hook=_decode)
    except msgspec.ValidationError as error:
        _explain(str(error), raw)
    _check_durations(config)
    _check_addresses(config)
    return config


def _decode(kind: type, value: object) -> object:
    if kind is Seconds:
        return parse_duration(value)
    if kind is HostPort:
        return _host_port(value)
    raise NotImplementedError(kind)


def _host_port(value: object) -> HostPort:
    match = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('not an address and port such as "10.0.0.1:5070" or "[fd88::1]:5070"')
    if not 1 <= int(match[3]) <= 65535:
        raise ValueError("the port is not in 1..65535")
    ip_address(match[1] or match[2])  # ValueError: says what is wrong with it
    return HostPort(match[0])


def _check_durations(config: SipcoreConfig) -> None:
    for key, (least, greatest) in _LIMITS.items():
        section, name = key.split(".")
        values = getattr(config, section)
        value: float | None = getattr(values, name, None)
        if value is not None and not least <= value <= greatest:
            raise ConfigError(f"{key}: {value:g}s is not in {least:g}s..{greatest:g}s")
    least, greatest = config.registrar.min_expires, config.registrar.max_expires
    if not least <= config.registrar.default_expires <= greatest:
        raise ConfigError(
            f"registrar.default_expires: {config.registrar.default_expires:g}s is not in "
            f"min_expires..max_expires, which is {least:g}s..{greatest:g}s"
        )


def _check_addresses(config: SipcoreConfig) -> None:
    seen: set[tuple[str, int]] = set()
    for index, listen in enumerate(config.listen):
        key = f"listen[{index}].address"
        try:
            address = ip_address(listen.address)
        except ValueError as error:
            raise ConfigError(f"{key}: {listen.address!r} is not an IPv4 or IPv6 address") from error
        if address.is_unspecified:
            raise ConfigError(f"{key}: {listen.address!r} is every address of the host; name the VIP itself")
        if (place := (str(address), listen.port)) in seen:
            raise ConfigError(f"{key}: {listen.address!r} with port {listen.port} is there twice")
        seen.add(place)
    for index, domain in enumerate(config.domains):
        if not domain or domain != domain.strip() or " " in domain:
            raise ConfigError(f"domains[{index}]: {domain!r} is not a domain name")
    if config.replication is not None and config.replication.listen in config.replication.peers:
        raise ConfigError(f"replication.peers: {config.replication.listen!r} is this node itself")


def _explain(text: str, raw: dict[str, object]) -> NoReturn:
    """Turn msgspec's sentence into ours: key first, then value, then limit."""
    match = _AT.match(text)
    what, path = (match[1], match[2] or "") if match else (text, "")
    prefix = f"{path}." if path else ""
    if unknown := _UNKNOWN.match(what):
        known = _section_at(path).__struct_fields__
        close = difflib.get_close_matches(unknown[1], known, n=1, cutoff=0.5)
        hint = f", did you mean {prefix}{close[0]}?" if close else f"; known are {', '.join(known)}"
        raise ConfigError(f"{prefix}{unknown[1]}: unknown key{hint}")
    if missing := _MISSING.match(what):
        raise ConfigError(f"{prefix}{missing[1]}: missing")
    if what.startswith("Invalid enum value"):
        section, _, name = path.rpartition(".")
        words = ", ".join(map(repr, get_args(get_type_hints(_section_at(section))[name])))
        what = f"is not one of {words}"
    raise ConfigError(f"{path}: {_value_at(raw, path)!r}: {what[:1].lower()}{what[1:]}")


def _section_at(path: str) -> type[msgspec.Struct]:
    sections: dict[str, type[msgspec.Struct]] = {
        "listen": Listen,
        "auth": Auth,
        "registrar": Registrar,
        "proxy": Proxy,
        "dialog": Dialog,
        "replication": Replication,
        "log": Log,
    }
    return sections.get(path.partition("[")[0], SipcoreConfig)


def _value_at(raw: object, path: str) -> object:
    for name, index in _STEP.findall(path):
        if isinstance(raw, dict):
            raw = raw.get(name)
        elif isinstance(raw, list) and index:
            raw = raw[int(index)] if int(index) < len(raw) else None
    return raw
