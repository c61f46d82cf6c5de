"""Sans-IO: header values beyond routing, typed: what dialogs, scripts and subscriptions read.

Nothing here is read before somebody asks. `parse` takes one value and raises ParseError; it reads alike what
`bytes()` writes. For name-addr headers (Contact, Diversion RFC 5806, History-Info RFC 7044,
P-Asserted-Identity RFC 3325) there are readers that give NameAddr values.
Deviations: History-Info keeps the headers in its URIs (Reason, section 5.1) as they are.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, Self

from sipcore.errors import ParseError
from sipcore.message.fields import NameAddr
from sipcore.message.grammar import TOKEN
from sipcore.message.message import Message
from sipcore.message.params import Params, join_params, parse_params, unquote

MAX_NUMBER = 2**32 - 1
MAX_Q = 1000
_INDEX = re.compile(rb"\d{1,10}+(?:\.\d{1,10}+)*+\Z")
_Q = re.compile(rb"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")


@dataclass(slots=True)
class TokenValue:
    """A token with parameters: Event (RFC 6665 section 8.2.1), Reason (RFC 3326 section 2)."""

    token: bytes
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read one value."""
        token, params = _parted(value)
        if not TOKEN.match(token):
            raise ParseError("Bad token")
        return cls(token, params)

    @property
    def id(self) -> bytes:
        """The id of an Event, which tells two subscriptions of one dialog apart."""
        return self.params.get(b"id") or b""

    @property
    def cause(self) -> int | None:
        """The cause of a Reason: a status for SIP, a code for Q.850; None when there is none."""
        digits = self.params.get(b"cause") or b""
        return int(digits) if digits.isdigit() and len(digits) <= 10 else None

    @property
    def text(self) -> bytes:
        """The text of a Reason."""
        return unquote(self.params.get(b"text") or b"")

    def __bytes__(self) -> bytes:
        return self.token + join_params(self.params)


@dataclass(slots=True)
class SessionExpires:
    """Session-Expires (RFC 4028 section 4) or Min-SE (section 5): seconds and parameters."""

    seconds: int
    params: Params = field(default_factory=dict)

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read one value."""
        digits, params = _parted(value)
        return cls(_number(digits), params)

    @property
    def refresher(self) -> Literal[b"uac", b"uas", b""]:
        """Who refreshes; empty when that is open."""
        value = (self.params.get(b"refresher") or b"").lower()
        return b"uac" if value == b"uac" else b"uas" if value == b"uas" else b""

    def __bytes__(self) -> bytes:
        return b"%d" % self.seconds + join_params(self.params)


@dataclass(slots=True)
class RAck:
    """RAck, RFC 3262 section 7.2: which provisional response a PRACK acknowledges."""

    rseq: int
    cseq: int
    method: bytes

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Read the value."""
        parts = value.split(None, 3)
        if len(parts) != 3 or not TOKEN.match(parts[2]):
            raise ParseError("Bad RAck")
        return cls(_number(parts[0]), _number(parts[1]), parts[2])

    def __bytes__(self) -> bytes:
        return b"%d %d %b" % (self.rseq, self.cseq, self.method)


def event(message: Message) -> TokenValue | None:
    """The Event of SUBSCRIBE, NOTIFY, PUBLISH; None when there is none."""
    value = message.first(b"event")
    return None if value is None else TokenValue.parse(value)


def reasons(message: Message) -> list[TokenValue]:
    """Every Reason, of BYE and CANCEL mostly."""
    return [TokenValue.parse(value) for value in message.values(b"reason")]


def session_expires(message: Message) -> SessionExpires | None:
    """Session-Expires; None when there is none."""
    value = message.first(b"session-expires")
    return None if value is None else SessionExpires.parse(value)


def min_se(message: Message) -> SessionExpires | None:
    """Min-SE; None when there is none."""
    value = message.first(b"min-se")
    return None if value is None else SessionExpires.parse(value)


def rack(message: Message) -> RAck | None:
    """RAck; None when there is none."""
    value = message.first(b"rack")
    return None if value is None else RAck.parse(value)


def contacts(message: Message) -> list[NameAddr] | None:
    """The Contacts; None for `*`, RFC 3261 section 10.2.2."""
    values = message.values(b"contact")
    return None if values == [b"*"] else [NameAddr.parse(value) for value in values]


def q_of(contact: NameAddr) -> int:
    """The q of a Contact in thousandths (section 25.1: qvalue has three digits); 1000 when there is none."""
    value = contact.params.get(b"q")
    if value is None:
        return MAX_Q
    if not _Q.match(value):
        raise ParseError("Bad q")
    return round(float(value) * MAX_Q)


def diversions(message: Message) -> list[NameAddr]:
    """Who has diverted the call, the last one first, RFC 5806; reason and counter are parameters."""
    return [NameAddr.parse(value) for value in message.values(b"diversion")]


def history(message: Message) -> list[NameAddr]:
    """History-Info in its order, RFC 7044 section 5; each has an index."""
    entries = [NameAddr.parse(value) for value in message.values(b"history-info")]
    if not all(_INDEX.match(entry.params.get(b"index") or b"") for entry in entries):
        raise ParseError("Bad History-Info: no index")
    return entries


def asserted_identities(message: Message) -> list[NameAddr]:
    """P-Asserted-Identity, RFC 3325 section 9.1: at most two, and then a sip(s) and a tel URI."""
    found = [NameAddr.parse(value) for value in message.values(b"p-asserted-identity")]
    schemes = [identity.uri.partition(b":")[0].lower() for identity in found]
    if len(found) > 2 or any(scheme not in (b"sip", b"sips", b"tel") for scheme in schemes):
        raise ParseError("Bad P-Asserted-Identity")
    if len(found) == 2 and schemes.count(b"tel") != 1:
        raise ParseError("Bad P-Asserted-Identity: two of a kind")
    return found


def _parted(value: bytes) -> tuple[bytes, Params]:
    head, semicolon, rest = value.partition(b";")
    return head.strip(), parse_params(rest) if semicolon else {}


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 10 or (number := int(digits)) > MAX_NUMBER:
        raise ParseError(f"Bad number: {digits[:20].decode('ascii', 'replace')} is not in 0..{MAX_NUMBER}")
    return number
