"""Sans-IO: kinds of values in sipcore.toml: sections, ports, addresses with ports, limits of durations."""

import re
from ipaddress import ip_address
from typing import Annotated, NamedTuple

import msgspec

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]

_HOST_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):(\d{1,5})")


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; a key that it does not know is an error."""


class Within(NamedTuple):
    """Least and greatest duration of a key, in seconds: `Annotated[Seconds, Within(1, 3600)]`."""

    least: float
    greatest: float


class HostPort(str):
    """An address to connect to or to listen on; in the file "10.0.0.1:5070" or "[fd88::1]:5070"."""

    __slots__ = ()

    @classmethod
    def parse(cls, value: object) -> "HostPort":
        """Read it; a ValueError says what is wrong with it."""
        match = _HOST_PORT.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError('not an address and port such as "10.0.0.1:5070" or "[fd88::1]:5070"')
        if not 1 <= int(match[3]) <= 65535:
            raise ValueError("the port is not in 1..65535")
        ip_address(match[1] or match[2])  # ValueError: says what is wrong with it
        return cls(match[0])

    @property
    def pair(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.rpartition(":")
        return host.strip("[]"), int(port)
