"""Sans-IO: digest authentication, RFC 7616 and RFC 8760: challenge and check.

Deviations: the -sess algorithms, `userhash` and `username*` (RFC 7616 section 3.4) are not offered.
Credentials without qop (RFC 2069) are taken once per nonce. That `uri` equals the Request-URI is asked for by
option only: RFC 3261 section 22.4 allows proxies on the way to change it.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sipcore.auth.algorithm import BY_NAME, HASHES, NAMES, Algorithm
from sipcore.auth.failures import Failures
from sipcore.auth.nonce import Freshness, Nonces
from sipcore.errors import ParseError, SipcoreError
from sipcore.message.seen import Seen
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.transport.layer import Hop

__all__ = [
    "Algorithm",
    "Credentials",
    "CredentialsUnavailableError",
    "DigestAuth",
    "DigestSettings",
    "Pending",
    "Verdict",
]

Header = tuple[bytes, bytes]

# What an unknown user is checked against, so that the answer takes as long as for a known one.
_DUMMY_HA1 = {algorithm: digest(b"nobody") for algorithm, digest in HASHES.items()}
_PARAM = rb'\s*+([A-Za-z0-9_-]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]++))\s*+(?:,|\Z)'
_EACH = re.compile(_PARAM, re.DOTALL)
_ALL = re.compile(rb"(?:" + _PARAM + rb")++\Z", re.DOTALL)
# Between two quoted strings: other parameters, and the name of the next one; behind the last: only others.
_TOKENS = rb"((?:\s*+[A-Za-z0-9_-]++\s*+=\s*+[^\s,\"]++\s*+%b)*)"
_BETWEEN = re.compile(rb"\s*+," + _TOKENS % rb"," + rb"\s*+([A-Za-z0-9_-]++)\s*+=\s*+\Z")
_BEHIND = re.compile(rb"\s*+(?:," + _TOKENS % rb"(?:,|\Z)" + rb")?\Z")
_UNUSUAL = "Not the usual credentials"
_NC = re.compile(rb"[0-9A-Fa-f]{8}\Z")
_LATER = ((b"Retry-After", b"5"),)
MAX_LINE = 4096  # bytes of credentials
MAX_TRIED = 4  # credentials of our realm in one request


class CredentialsUnavailableError(SipcoreError):
    """Nobody can say now whether there is such a user."""


class Pending:
    """An answer that a database is still looking for."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Callable[[float], None]] = []

    def then(self, callback: Callable[[float], None]) -> None:
        """Call `callback(now)` when asking again will be answered at once."""
        self._waiting.append(callback)

    def resolve(self, now: float) -> None:
        """The answer is there."""
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback(now)


class Credentials(Protocol):
    """Who may log in to one realm."""

    def algorithms(self) -> tuple[Algorithm, ...]:
        """Those that each user can answer, in the order in which to offer them."""

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
        """H(user:realm:password) in lower-case hexadecimal, None when there is no such user; or not yet.

        Raises CredentialsUnavailableError.
        """


class HasHeaders(Protocol):
    """What of a request is looked at."""

    uri: bytes
    body: bytes

    @property
    def method(self) -> bytes:
        """The method of the start line."""

    def lines(self, name: bytes) -> list[bytes]:
        """The value of each line of this header."""


@dataclass(slots=True)
class Verdict:
    """Who it is, or with which status and headers to refuse, or for whose answer to wait."""

    user: bytes | None
    status: int = 0
    headers: tuple[Header, ...] = ()
    pending: Pending | None = None


@dataclass(frozen=True, slots=True)
class DigestSettings:
    """What is asked of credentials beside the right answer."""

    auth_int: bool = False  # offer qop=auth-int, which covers the body, beside auth
    check_uri: bool = False  # the `uri` must be the Request-URI


class DigestAuth:
    """Checks requests of one realm; an unknown user and a wrong password get one answer in one time.

    A request is to be checked once: to check it again is a replay of its nonce count. With a `journal` the
    standby hears which counts were used.
    """

    def __init__(
        self,
        realm: bytes,
        nonces: Nonces,
        credentials: Credentials,
        *,
        settings: DigestSettings | None = None,
        failures: Failures | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.realm = realm
        self.nonces = nonces
        self.credentials = credentials
        self.settings = settings or DigestSettings()
        self.failures = failures or Failures()
        self.unavailable = 0  # requests that could not be judged
        self._journal = journal
        self._qops = (b"", b"auth", b"auth-int") if self.settings.auth_int else (b"", b"auth")
        self._format = b'Digest realm="%b", nonce="%%b", opaque="%b", algorithm=%%b, qop="%b"%%b' % (
            realm.replace(b"%", b"%%"),
            nonces.opaque,
            b"auth,auth-int" if self.settings.auth_int else b"auth",
        )

    def check(
        self, request: HasHeaders, now: float, *, proxy: bool = False, source: Hop | None = None
    ) -> Verdict:
        """The user of this request, or a challenge (401, with `proxy` 407); raises ParseError (400)."""
        header = b"proxy-authorization" if proxy else b"authorization"
        stale = False
        for line in request.lines(header)[:MAX_TRIED]:
            given = parse_credentials(line)
            if given is None or given.get(b"realm") != self.realm:
                continue  # for another server on the way
            count, algorithm = self._read(given, request)
            freshness = self.nonces.check(given[b"nonce"], count, now)
            if freshness is Freshness.FORGED:
                continue
            user = given[b"username"]
            try:
                ha1 = self.credentials.ha1(user, algorithm)
            except CredentialsUnavailableError:
                self.unavailable += 1
                return Verdict(None, 503, _LATER)
            if isinstance(ha1, Pending):
                return Verdict(None, pending=ha1)
            if not self._answers(ha1, algorithm, request, given):
                self.failures.on_failure(user, source, now)
            elif freshness is Freshness.FRESH:
                self._use(given[b"nonce"], count, now)
                return Verdict(user)
            else:
                stale = True
        return Verdict(None, 407 if proxy else 401, self.challenge(now, stale=stale, proxy=proxy))

    def challenge(self, now: float, *, stale: bool = False, proxy: bool = False) -> tuple[Header, ...]:
        """One header per algorithm, the preferred one first, RFC 8760 section 2.3."""
        name = b"Proxy-Authenticate" if proxy else b"WWW-Authenticate"
        nonce = self.nonces.issue(now)
        tail = b", stale=true" if stale else b""
        return tuple(
            (name, self._format % (nonce, NAMES[algorithm], tail))
            for algorithm in self.credentials.algorithms()
        )

    def _read(self, given: dict[bytes, bytes], request: HasHeaders) -> tuple[int, Algorithm]:
        """Nonce count and algorithm of credentials that are complete; ParseError for others."""
        algorithm = BY_NAME.get(given.get(b"algorithm", b"MD5").lower())
        if algorithm not in HASHES or not given.keys() >= _NEEDED:
            raise ParseError("Incomplete credentials")
        if self.settings.check_uri and given[b"uri"] != request.uri:
            raise ParseError("Credentials for another Request-URI")
        qop = given.get(b"qop", b"").lower()
        if qop not in self._qops:
            raise ParseError("Bad qop in credentials")
        if not qop:
            return 1, algorithm
        if not given.get(b"cnonce") or not _NC.match(given.get(b"nc", b"")):
            raise ParseError("Bad nonce count in credentials")
        return int(given[b"nc"], 16), algorithm

    @staticmethod
    def _answers(
        ha1: bytes | None, algorithm: Algorithm, request: HasHeaders, given: dict[bytes, bytes]
    ) -> bool:
        """Whether the response is that of the user's password; the same steps for a user that is none."""
        wanted = digest_response(ha1 or _DUMMY_HA1[algorithm], algorithm, request.method, given, request.body)
        same = hmac.compare_digest(wanted, given[b"response"].lower())
        return same and ha1 is not None

    def _use(self, nonce: bytes, count: int, now: float) -> None:
        self.nonces.use(nonce, count, now)
        if self._journal is not None:
            self._journal.touch(Kind.NONCE, nonce)


_ha2 = {algorithm: Seen(digest) for algorithm, digest in HASHES.items()}  # phones ask for few URIs
_NEEDED = frozenset({b"username", b"nonce", b"uri", b"response"})


def digest_response(
    ha1: bytes, algorithm: Algorithm, method: bytes, given: dict[bytes, bytes], body: bytes = b""
) -> bytes:
    """The `response` that belongs to these parameters, RFC 7616 section 3.4.1."""
    h = HASHES[algorithm]
    qop = given.get(b"qop")
    a2 = method + b":" + given[b"uri"]
    covers_body = qop is not None and qop.lower() == b"auth-int"  # section 3.4.3
    ha2 = h(a2 + b":" + h(body)) if covers_body else _ha2[algorithm][a2]
    if qop:
        parts: tuple[bytes, ...] = (ha1, given[b"nonce"], given[b"nc"], given[b"cnonce"], qop, ha2)
    else:
        parts = (ha1, given[b"nonce"], ha2)
    return h(b":".join(parts))


def parse_credentials(line: bytes) -> dict[bytes, bytes] | None:
    """The parameters of a Digest header, names in lower case; None for another scheme."""
    scheme, _, rest = line.strip().partition(b" ")
    if scheme.lower() != b"digest":
        return None
    if len(rest) > MAX_LINE:
        raise ParseError(f"Credentials over {MAX_LINE} bytes")
    try:
        return _read_usual(rest)
    except ParseError:
        return _read_carefully(rest)


def _read_usual(text: bytes) -> dict[bytes, bytes]:
    """What stands between the quoted strings is the same each time; ParseError if it is not that easy."""
    *pieces, tail = text.split(b'"')
    if not pieces or len(pieces) % 2 or b"\\" in text:
        raise ParseError(_UNUSUAL)
    pieces[0] = b"," + pieces[0]
    found: dict[bytes, bytes] = {}
    count = 0
    for between, value in zip(pieces[::2], pieces[1::2], strict=True):
        tokens, name = _between[between]
        if tokens:
            found.update(tokens)
        found[name] = value
        count += len(tokens) + 1
    tokens = _behind[tail]
    found.update(tokens)
    if len(found) != count + len(tokens):
        raise ParseError(_UNUSUAL)
    return found


def _read_between(text: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """`, a=1, b=` gives a and its 1, and b, whose value is the quoted string behind it."""
    found = _BETWEEN.match(text)
    if found is None:
        raise ParseError(_UNUSUAL)
    return _tokens(found[1]), found[2].lower()


def _read_behind(text: bytes) -> list[tuple[bytes, bytes]]:
    found = _BEHIND.match(text)
    if found is None:
        raise ParseError(_UNUSUAL)
    return _tokens(found[1] or b"")


def _tokens(text: bytes) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), token) for name, _, token in _EACH.findall(text)]


_between = Seen(_read_between)
_behind = Seen(_read_behind)


def _read_carefully(text: bytes) -> dict[bytes, bytes]:
    if _ALL.match(text) is None:
        raise ParseError("Broken credentials")
    params = _EACH.findall(text)
    found = {name.lower(): token or unquote(quoted) for name, quoted, token in params}
    if len(found) != len(params):
        raise ParseError("Repeated parameter in credentials")
    return found


def unquote(text: bytes) -> bytes:
    """The inside of a quoted string without its backslashes, RFC 3261 section 25.1."""
    return re.sub(rb"\\(.)", rb"\1", text, flags=re.DOTALL) if b"\\" in text else text
