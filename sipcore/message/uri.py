"""Sans-IO: sip, sips and tel URIs; comparison by RFC 3261 section 19.1.4."""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Self

from sipcore.errors import ParseError
from sipcore.message.grammar import ESCAPED, HOSTPORT, SCHEME
from sipcore.message.params import Params, join_params, parse_params
from sipcore.message.tel import canonical, check_number, same_params

MAX_PORT = 65535
MAX_REFERENCE = 48  # bytes of "[ffff:...:255.255.255.255]"; more would not be kept in the cache either
# Parameters that count in a comparison even when only one URI has them: four by the text of section 19.1.4,
# transport by its examples.
_ALWAYS = (b"user", b"ttl", b"method", b"maddr", b"transport")

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,;?/")


@dataclass(slots=True)
class Uri:
    """A parsed URI; of other schemes only `scheme` and, in `host`, the rest."""

    scheme: bytes
    user: bytes
    password: bytes
    host: bytes
    port: int | None = None
    params: Params = field(default_factory=dict)
    headers: bytes = b""

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read a URI; raises ParseError (416 is the caller's answer to an unknown scheme)."""
        found = SCHEME.match(text)
        if found is None:
            raise ParseError("Bad URI: no scheme")
        scheme, rest = found.group(1).lower(), text[found.end() :]
        if scheme == b"tel":
            number, _, params = rest.partition(b";")
            check_number(number)
            return cls(scheme, number, b"", b"", None, parse_params(params))
        if scheme not in (b"sip", b"sips"):
            return cls(scheme, b"", b"", rest)
        return cls._parse_sip(scheme, rest)

    @classmethod
    def _parse_sip(cls, scheme: bytes, rest: bytes) -> Self:
        userinfo, at, hostpart = rest.rpartition(b"@")
        hostpart, _, headers = hostpart.partition(b"?")
        hostport, semicolon, params = hostpart.partition(b";")
        found = HOSTPORT.match(hostport)
        # a second @ would let two readers see two hosts
        if found is None or (at and userinfo[:1] in b":") or b"@" in userinfo or len(userinfo.split()) > 1:
            raise ParseError("Bad SIP URI")
        host, port = found.groups()
        number = int(port) if port else None
        if number is not None and number > MAX_PORT:
            raise ParseError("Bad SIP URI: port over 65535")
        if host[:1] == b"[":
            if len(host) > MAX_REFERENCE:
                raise ParseError("Bad SIP URI: not an IPv6 address")
            host = _ipv6_reference(host)
        user, _, password = userinfo.partition(b":")
        return cls(
            scheme, user, password, host.lower(), number, parse_params(params) if semicolon else {}, headers
        )

    def aor(self) -> bytes:
        """The canonical address-of-record (section 10.3 step 5): no parameters, no port, user unescaped."""
        if self.scheme == b"tel":
            return b"tel:" + canonical(self.user)
        return b"sip:" + (unescape(self.user) + b"@" if self.user else b"") + self.host

    def matches(self, other: "Uri") -> bool:
        """Equality of section 19.1.4; of tel URIs RFC 3966 section 4."""
        if self.scheme == b"tel" == other.scheme:
            return canonical(self.user) == canonical(other.user) and same_params(self.params, other.params)
        mine = (self.scheme, unescape(self.user), unescape(self.password), self.host, self.port)
        theirs = (other.scheme, unescape(other.user), unescape(other.password), other.host, other.port)
        return mine == theirs and self._params_match(other) and self._headers() == other._headers()

    def _params_match(self, other: "Uri") -> bool:
        for name in self.params.keys() | other.params.keys():
            a, b = self.params.get(name, b""), other.params.get(name, b"")
            both = name in self.params and name in other.params
            if (both or name in _ALWAYS) and (a or b"").lower() != (b or b"").lower():
                return False
        return True

    def _headers(self) -> list[bytes]:
        return sorted(unescape(part).lower() for part in self.headers.split(b"&")) if self.headers else []

    def __bytes__(self) -> bytes:
        if self.scheme == b"tel":
            return b"tel:" + self.user + join_params(self.params)
        password = b":" + self.password if self.password else b""
        user = self.user + password + b"@" if self.user else b""
        port = b"" if self.port is None else b":%d" % self.port
        headers = b"?" + self.headers if self.headers else b""
        return self.scheme + b":" + user + self.host + port + join_params(self.params) + headers


@lru_cache(1024)
def _ipv6_reference(host: bytes) -> bytes:
    """An IPv6 reference that is one. RFC 5118 section 4.10: old grammar made three colons of two."""
    host = host.replace(b":::", b"::", 1)
    try:
        IPv6Address(host[1:-1].decode())
    except ValueError:
        raise ParseError("Bad SIP URI: not an IPv6 address") from None
    return host


def unescape(text: bytes) -> bytes:
    """Replace %HH of characters that need no escape in a user part (section 19.1.2)."""
    if b"%" not in text:
        return text

    def plain(found: re.Match[bytes]) -> bytes:
        code = int(found.group(1), 16)
        return bytes((code,)) if code in _UNRESERVED else found.group(0).upper()

    return ESCAPED.sub(plain, text)
