"""Sans-IO: the text of sipcore.toml to typed objects; what is wrong is named with key, value and limit."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import msgspec

from sipcore.cachedb.url import CacheUrl
from sipcore.config.bin import check_bin
from sipcore.config.cachedb import check_store
from sipcore.config.dialog import check_dialog
from sipcore.config.kinds import HostPort, Section, Within
from sipcore.config.sections import Replication, SipcoreConfig
from sipcore.config.transport import check_listen, check_tls
from sipcore.duration import Seconds, parse_duration
from sipcore.errors import ConfigError
from sipcore.replication.capability import Kind

_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`")
_MISSING = re.compile(r"Object missing required field `([^`]*)`")
_AT = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


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
    check_dialog(config.dialog)
    for index, store in enumerate(config.cachedb):
        check_store(store, f"cachedb[{index}]")
    if config.bin is not None:
        check_bin(config.bin, config.domains)
    return config


def _decode(kind: type, value: object) -> object:
    if kind is Seconds:
        return parse_duration(value)
    if kind is HostPort:
        return HostPort.parse(value)
    if kind is CacheUrl:
        return CacheUrl.parse(value)
    raise NotImplementedError(kind)


def _check_durations(config: SipcoreConfig) -> None:
    for prefix, section in _sections(config, ""):
        for name, hint in get_type_hints(type(section), include_extras=True).items():
            value = getattr(section, name)
            for limit in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
                if isinstance(limit, Within) and not limit.least <= value <= limit.greatest:
                    range_ = f"{limit.least:g}s..{limit.greatest:g}s"
                    raise ConfigError(f"{prefix}{name}: {value:g}s is not in {range_}")
    _check_users(config)
    least, greatest = config.registrar.min_expires, config.registrar.max_expires
    if not least <= config.registrar.default_expires <= greatest:
        raise ConfigError(
            f"registrar.default_expires: {config.registrar.default_expires:g}s is not in "
            f"min_expires..max_expires, which is {least:g}s..{greatest:g}s"
        )
    if config.resolver.min_ttl > config.resolver.max_ttl:
        raise ConfigError(
            f"resolver.min_ttl: {config.resolver.min_ttl:g}s is over max_ttl, which is "
            f"{config.resolver.max_ttl:g}s"
        )


def _check_users(config: SipcoreConfig) -> None:
    auth = config.auth
    if bool(auth.users_file) == bool(auth.users_db):
        raise ConfigError("auth: one of users_file and users_db is needed, and only one")
    domains = {domain.lower() for domain in config.domains}
    for alias, domain in config.registrar.domain_aliases.items():
        if domain.lower() not in domains or alias.lower() in domains:
            raise ConfigError(
                f"registrar.domain_aliases.{alias}: {domain!r} is not one of domains, or {alias!r} is"
            )
    tel = config.registrar.tel_domain
    if tel and tel.lower() not in domains:
        raise ConfigError(f"registrar.tel_domain: {tel!r} is not one of domains")


def _sections(section: Section, prefix: str) -> Iterator[tuple[str, Section]]:
    """This table and those in it, each with what stands before its keys."""
    yield prefix, section
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _sections(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, Section):
                    yield from _sections(item, f"{prefix}{name}[{index}].")


def _check_addresses(config: SipcoreConfig) -> None:
    seen: set[tuple[str, int, bool]] = set()
    check_tls(config.tls, config.bans)
    for index, listen in enumerate(config.listen):
        key = f"listen[{index}].address"
        try:
            address = ip_address(listen.address)
        except ValueError as error:
            raise ConfigError(f"{key}: {listen.address!r} is not an IPv4 or IPv6 address") from error
        if address.is_unspecified:
            raise ConfigError(f"{key}: {listen.address!r} is every address of the host; name the VIP itself")
        if (place := (str(address), listen.port, listen.is_stream)) in seen:
            raise ConfigError(f"{key}: {listen.address!r} with port {listen.port} is there twice")
        seen.add(place)
        check_listen(listen, f"listen[{index}]")
    for index, domain in enumerate(config.domains):
        if not domain or domain != domain.strip() or " " in domain:
            raise ConfigError(f"domains[{index}]: {domain!r} is not a domain name")
    if config.replication is not None:
        moving = () if config.standalone else tuple(listen.address for listen in config.listen)
        _check_replication(config.replication, moving)


def _check_replication(replication: Replication, moving: tuple[str, ...]) -> None:
    if replication.listen in replication.peers:
        raise ConfigError(f"replication.peers: {replication.listen!r} is this node itself")
    for far in replication.compress:
        if far not in replication.peers:
            raise ConfigError(f"replication.compress: {far!r} is not one of replication.peers")
    kinds = {kind.name.lower() for kind in Kind}
    for name, given in (("send", replication.send), ("accept", replication.accept)):
        for kind in given:
            if kind not in kinds:
                known = ", ".join(sorted(kinds))
                raise ConfigError(f"replication.{name}: {kind!r} is no kind of record; there are {known}")
    host = ip_address(replication.listen.pair[0])
    if any(ip_address(address) == host for address in moving if not host.is_loopback):
        raise ConfigError(f"replication.listen: {host} is an address of [[listen]], which moves to the peer")
    tls = {"certificate": replication.certificate, "key": replication.key, "ca": replication.ca}
    if any(tls.values()) and not all(tls.values()):
        missing = ", ".join(name for name, path in tls.items() if not path)
        raise ConfigError(f"replication.{missing}: missing; TLS needs certificate, key and ca")
    if not replication.key_file and not replication.ca:
        raise ConfigError("replication.key_file: missing; without it certificate, key and ca are needed")


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
        words = ", ".join(map(repr, _words(get_type_hints(_section_at(section))[name.partition("[")[0]])))
        what = f"is not one of {words}"
    raise ConfigError(f"{path}: {_value_at(raw, path)!r}: {what[:1].lower()}{what[1:]}")


def _words(hint: Any) -> tuple[object, ...]:
    """The words of a Literal, also of one in a tuple."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    return next((found for arg in get_args(hint) if (found := _words(arg))), ())


def _section_at(path: str) -> type[Section]:
    """The table that this path leads to: follows the annotations from the whole file on."""
    section: type[Section] = SipcoreConfig
    for name, _ in _STEP.findall(path):
        if name:
            section = _section_in(get_type_hints(section).get(name)) or section
    return section


def _section_in(hint: Any) -> type[Section] | None:
    if isinstance(hint, type) and issubclass(hint, Section):
        return hint
    return next((found for arg in get_args(hint) if (found := _section_in(arg))), None)


def _value_at(raw: object, path: str) -> object:
    for name, index in _STEP.findall(path):
        if isinstance(raw, dict):
            raw = raw.get(name)
        elif isinstance(raw, list) and index:
            raw = raw[int(index)] if int(index) < len(raw) else None
    return raw
