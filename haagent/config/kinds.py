"""Sans-IO: kinds of values in haagent.toml: sections, durations, addresses, endpoints."""

import ipaddress
import re
from typing import Annotated

import msgspec
from msgspec import Meta

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Port = Annotated[int, Meta(ge=1, le=65535)]


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A table of the file; an unknown key in it is an error."""


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


def parse_duration(text: str | float) -> float:
    """Seconds from "100ms", "5s", "10m", "1h" or a number."""
    if isinstance(text, int | float):
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a duration such as "100ms", "5s", "10m" or "1h"')
    return float(match[1]) * _UNITS[match[2]]


def convert(kind: type, value: object) -> object:
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


def milliseconds(seconds: float) -> str:
    """A duration as the file writes it."""
    return f"{seconds * 1000:g}ms"
