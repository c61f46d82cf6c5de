"""Sans-IO: the header values that routing reads: Via and name-addr (RFC 3261 sections 20.42 and 20.10)."""

import re
from dataclasses import dataclass, field
from typing import Self

from sipcore.errors import ParseError
from sipcore.message.grammar import QUOTED_STRING, USUAL_VIA, VIA
from sipcore.message.params import Params, join_params, parse_params, plain_params

MAX_PORT = 65535


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
        found = USUAL_VIA.match(value)
        if found is not None:
            return cls.usual(found)
        found = VIA.match(b" ".join(value.split()))
        if found is None:
            raise ParseError("Bad Via")
        transport, host, digits, rest = found.groups()
        return cls(transport.upper(), host, _port(digits), parse_params(rest) if rest else {})

    @classmethod
    def usual(cls, found: re.Match[bytes]) -> Self:
        """The value that USUAL_VIA or VIA_LINE has found."""
        transport, host, digits, branch, rest = found.groups()
        params: Params = {} if branch is None else {b"branch": branch}
        if rest:
            plain_params(rest, params)
        return cls(transport, host, _port(digits) if digits else None, params)

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


def _port(digits: bytes | None) -> int | None:
    port = int(digits) if digits else None
    if port is not None and port > MAX_PORT:
        raise ParseError(f"Bad Via: port over {MAX_PORT}")
    return port


@dataclass(slots=True)
class NameAddr:
    """A name-addr or addr-spec with header parameters: From, To, Contact, Route, Record-Route, Path."""

    display: bytes
    uri: bytes
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read one value; without angle brackets every parameter belongs to the header (section 20.10)."""
        value = value.strip()
        after = 0
        if value[:1] == b'"':
            quoted = QUOTED_STRING.match(value)
            if quoted is None:
                raise ParseError("Bad address: unbalanced quotes")
            after = quoted.end()
        display, opening, rest = value[after:].partition(b"<")
        if not opening or (not after and b";" in display):  # ...;param="<" of an addr-spec
            return cls._parse_addr_spec(value)
        uri, closing, params = rest.partition(b">")
        uri, params = uri.strip(), params.strip()
        if not closing or b"<" in uri or b'"' in display or params[:1] not in b";" or b":" not in uri:
            raise ParseError("Bad address")
        return cls((value[:after] + display).strip(), uri, parse_params(params) if params else {})

    @classmethod
    def _parse_addr_spec(cls, value: bytes) -> Self:
        uri, _, params = value.partition(b";")
        uri = uri.strip()
        if b":" not in uri or len(uri.split()) != 1 or b'"' in uri or b">" in uri:
            raise ParseError("Bad address")
        return cls(b"", uri, parse_params(params) if params else {})

    @property
    def tag(self) -> bytes:
        """The tag parameter; empty when there is none."""
        return self.params.get(b"tag") or b""

    def __bytes__(self) -> bytes:
        display = self.display + b" " if self.display else b""
        return display + b"<" + self.uri + b">" + join_params(self.params)
