"""Sans-IO: digest authentication, RFC 7616 and RFC 8760: challenge and check.

Deviations: qop=auth-int and the -sess algorithms are not offered. The `uri` of the credentials need not equal
the Request-URI: RFC 3261 section 22.4 makes that check optional in SIP, since proxies on the way may change
it.
"""

import hmac
import re
from dataclasses import dataclass
from enum import IntEnum
from hashlib import md5, sha256
from typing import Protocol

from sipcore.auth.nonce import Freshness, Nonces
from sipcore.errors import ParseError

Header = tuple[bytes, bytes]


class Algorithm(IntEnum):
    """Hash functions in the order in which they are offered: old phones take the first they see."""

    MD5 = 0
    SHA_256 = 1


NAMES = {Algorithm.MD5: b"MD5", Algorithm.SHA_256: b"SHA-256"}
BY_NAME = {b"md5": Algorithm.MD5, b"sha-256": Algorithm.SHA_256}
HASHES = {Algorithm.MD5: md5, Algorithm.SHA_256: sha256}
# What an unknown user is checked against, so that the answer takes as long as for a known one.
_DUMMY_HA1 = {algorithm: HASHES[algorithm](b"nobody").hexdigest().encode() for algorithm in Algorithm}
_PARAM = re.compile(rb'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')


class Credentials(Protocol):
    """Who may log in to one realm."""

    def algorithms(self) -> tuple[Algorithm, ...]:
        """Those that each user can answer."""

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | None:
        """H(user:realm:password) in lower-case hexadecimal, None when there is no such user."""


class HasHeaders(Protocol):
    """What of a request is looked at."""

    @property
    def method(self) -> bytes:
        """The method of the start line."""

    def lines(self, name: bytes) -> list[bytes]:
        """The value of each line of this header."""


@dataclass(slots=True)
class Verdict:
    """Who it is, or with which status and headers to refuse."""

    user: bytes | None
    status: int = 0
    headers: tuple[Header, ...] = ()


class DigestAuth:
    """Checks requests of one realm; an unknown user and a wrong password get one answer in one time."""

    def __init__(self, realm: bytes, nonces: Nonces, credentials: Credentials) -> None:
        self.realm = realm
        self.nonces = nonces
        self.credentials = credentials

    def check(self, request: HasHeaders, now: float, *, proxy: bool = False) -> Verdict:
        """The user of this request, or a challenge (401, with `proxy` 407); raises ParseError (400)."""
        header = b"proxy-authorization" if proxy else b"authorization"
        stale = False
        for line in request.lines(header):
            given = parse_credentials(line)
            if given is None or given.get(b"realm") != self.realm:
                continue  # for another server on the way
            freshness = self.nonces.check(given.get(b"nonce", b""), now)
            if freshness is Freshness.FORGED or not self._answers(given, request.method):
                continue
            if freshness is Freshness.FRESH:
                return Verdict(given[b"username"])
            stale = True
        return Verdict(None, 407 if proxy else 401, self.challenge(now, stale=stale, proxy=proxy))

    def challenge(self, now: float, *, stale: bool = False, proxy: bool = False) -> tuple[Header, ...]:
        """One header per algorithm, RFC 8760 section 2.4."""
        name = b"Proxy-Authenticate" if proxy else b"WWW-Authenticate"
        nonce = self.nonces.issue(now)
        tail = b", stale=true" if stale else b""
        return tuple(
            (
                name,
                b'Digest realm="%b", nonce="%b", algorithm=%b, qop="auth"%b'
                % (self.realm, nonce, NAMES[algorithm], tail),
            )
            for algorithm in self.credentials.algorithms()
        )

    def _answers(self, given: dict[bytes, bytes], method: bytes) -> bool:
        """Whether the response is that of the user's password."""
        algorithm = BY_NAME.get(given.get(b"algorithm", b"MD5").lower())
        user, uri = given.get(b"username"), given.get(b"uri")
        response = given.get(b"response")
        qop = given.get(b"qop", b"").lower()
        if algorithm is None or user is None or uri is None or response is None:
            raise ParseError("Incomplete credentials")
        if qop not in (b"", b"auth") or (qop and not (given.get(b"nc") and given.get(b"cnonce"))):
            raise ParseError("Bad qop in credentials")
        ha1 = self.credentials.ha1(user, algorithm)
        wanted = digest_response(ha1 or _DUMMY_HA1[algorithm], algorithm, method, given)
        same = hmac.compare_digest(wanted, response.lower())
        return same and ha1 is not None


def digest_response(ha1: bytes, algorithm: Algorithm, method: bytes, given: dict[bytes, bytes]) -> bytes:
    """The `response` that belongs to these parameters, RFC 7616 section 3.4.1."""
    h = HASHES[algorithm]
    ha2 = h(method + b":" + given[b"uri"]).hexdigest().encode()
    middle = [given[b"nonce"]]
    if given.get(b"qop"):
        middle += [given[b"nc"], given[b"cnonce"], given[b"qop"]]
    return h(b":".join((ha1, *middle, ha2))).hexdigest().encode()


def parse_credentials(line: bytes) -> dict[bytes, bytes] | None:
    """The parameters of a Digest header, names in lower case; None for another scheme."""
    scheme, _, rest = line.strip().partition(b" ")
    if scheme.lower() != b"digest":
        return None
    found: dict[bytes, bytes] = {}
    at = 0
    rest = rest.strip()
    while at < len(rest):
        match = _PARAM.match(rest, at)
        if match is None:
            raise ParseError("Broken credentials")
        name, quoted, token = match.groups()
        name = name.lower()
        if name in found:
            raise ParseError("Repeated parameter in credentials")
        found[name] = token if quoted is None else unquote(quoted)
        at = match.end()
    return found


def unquote(text: bytes) -> bytes:
    """The inside of a quoted string without its backslashes, RFC 3261 section 25.1."""
    return re.sub(rb"\\(.)", rb"\1", text, flags=re.DOTALL) if b"\\" in text else text
