"""Sans-IO: the header values that routing reads: Via and name-addr (RFC 3261 sections 20.42 and 20.10)."""

import re
from dataclasses import dataclass, field
from typing import Self

from sipcore.errors import ParseError
from sipcore.message.params import Params, join_params, parse_params

MAX_PORT = 65535

_VIA = re.compile(
    rb"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9.!%*_+`'~-]+)\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)\s*(?::\s*(\d{1,5}))?\s*(;.*)?$",
    re.DOTALL | re.IGNORECASE,
)
_NAME_ADDR = re.compile(rb'\s*((?:"(?:[^"\\]|\\.)*"|[^<"])*?)\s*<([^<>]*)>\s*(;.*)?$', re.DOTALL)


@dataclass(slots=True)
class Via:
    """One Via value; `host` keeps the brackets of an IPv6 reference."""

    transport: bytes
    host: bytes
    port: int | None
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read one value (no comma list)."""
        found = _VIA.match(value)
        if found is None:
            raise ParseError("Bad Via")
        transport, host, port, rest = found.groups()
        number = int(port) if port else None
        if number is not None and number > MAX_PORT:
            raise ParseError("Bad Via: port over 65535")
        return cls(transport.upper(), host, number, parse_params(rest) if rest else {})

    @property
    def branch(self) -> bytes:
        """The branch parameter; empty when there is none (RFC 2543)."""
        return self.params.get(b"branch") or b""

    @property
    def sent_by(self) -> bytes:
        """host[:port], in lower case."""
        host = self.host.lower()
        return host if self.port is None else b"%s:%d" % (host, self.port)

    def __bytes__(self) -> bytes:
        port = b"" if self.port is None else b":%d" % self.port
        return b"SIP/2.0/" + self.transport + b" " + self.host + port + join_params(self.params)


@dataclass(slots=True)
class NameAddr:
    """A name-addr or addr-spec with header parameters: From, To, Contact, Route, Record-Route, Path."""

    display: bytes
    uri: bytes
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read one value; without angle brackets every parameter belongs to the header (section 20.10)."""
        found = _NAME_ADDR.match(value)
        if found is not None:
            display, uri, rest = found.groups()
            return cls(display.strip(), uri.strip(), parse_params(rest) if rest else {})
        uri, semicolon, rest = value.strip().partition(b";")
        if not uri or b"<" in value or b">" in value or b'"' in uri or b" " in uri.strip() or b":" not in uri:
            raise ParseError("Bad address")
        return cls(b"", uri.strip(), parse_params(rest) if semicolon else {})

    @property
    def tag(self) -> bytes:
        """The tag parameter; empty when there is none."""
        return self.params.get(b"tag") or b""

    def __bytes__(self) -> bytes:
        display = self.display + b" " if self.display else b""
        return display + b"<" + self.uri + b">" + join_params(self.params)
