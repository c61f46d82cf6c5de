"""Sans-IO: one Contact value of a REGISTER, checked, and as it stands in the 200; RFC 3261 section 20.10."""

import re
from typing import NamedTuple

from sipcore.errors import ParseError
from sipcore.location.binding import Binding
from sipcore.location.gruu import Gruus
from sipcore.message import NameAddr, Uri
from sipcore.message.grammar import SIP_REQUEST_URI
from sipcore.message.params import Params, join_params, parse_params

MAX_SECONDS = 2**32 - 1  # RFC 3261 section 20.19
MAX_REG_ID = 2**31 - 1  # RFC 5626 section 4.2: 1*DIGIT, and no more is said
MAX_PARAMS = 1024  # bytes of further parameters that are kept
Header = tuple[bytes, bytes]

# The usual form, its URI checked by the same pattern as a Request-URI (no headers in it).
_USUAL = re.compile(rb'(?:"[^"\\<>]*+" ?|[^"<>;:,\\]*+)<(' + SIP_REQUEST_URI + rb")>((?:;[^<>,]*+)?)\Z")


class Refused(Exception):
    """The answer to a REGISTER that changes nothing."""

    def __init__(self, status: int, reason: bytes = b"", headers: tuple[Header, ...] = ()) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class Contact(NamedTuple):
    """A Contact value; `expires` None: the Expires header, or the default, says it."""

    uri: bytes
    expires: int | None
    q: float
    instance: bytes
    reg_id: int
    params: bytes  # all others: capabilities (RFC 3840), methods


def parse_contact(value: bytes) -> Contact:
    """Read one value; raises Refused (400) or ParseError."""
    found = _USUAL.match(value)
    if found is not None:
        uri, rest = found.groups()
        if b"gr" in rest and (b"pub-gruu" in rest or b"temp-gruu" in rest):
            rest = _without_gruus(rest)
        params = parse_params(rest) if rest else {}
    else:
        uri, params = _unusual(value)
    if not params:
        return Contact(uri, None, 1.0, b"", 0, b"")
    expires = seconds(params.pop(b"expires", None))
    q = _q(params.pop(b"q", None))
    if not params:
        return Contact(uri, expires, q, b"", 0, b"")
    instance = (params.pop(b"+sip.instance", None) or b"").strip(b'"')
    reg_id = _reg_id(params.pop(b"reg-id", None))
    kept = join_params(params)
    if len(kept) > MAX_PARAMS:
        raise Refused(400, b"Contact with over %d bytes of parameters" % MAX_PARAMS)
    # RFC 5626 section 6: reg-id without an instance is not looked at
    return Contact(uri, expires, q, instance, reg_id if instance else 0, kept)


def seconds(text: bytes | None) -> int | None:
    """A delta-seconds; RFC 4475 section 3.1.2.4: a value out of range is a bad request."""
    if text is None:
        return None
    text = text.strip()
    if not text.isdigit() or len(text) > 10 or (value := int(text)) > MAX_SECONDS:
        raise Refused(400, b"Bad expires value")
    return value


def contact_header(binding: Binding, now: float, gruus: Gruus | None = None, aor: bytes = b"") -> Header:
    """The binding in a 200; with `gruus` and an instance also its GRUUs, RFC 5627 section 5.2."""
    value = b"<%b>;expires=%d" % (binding.uri, max(round(binding.expires_at - now), 1))
    if binding.q != 1.0:
        value += b";q=%g" % binding.q
    if binding.instance:
        value += b';+sip.instance="%b"' % binding.instance
        if binding.reg_id:
            value += b";reg-id=%d" % binding.reg_id
        if gruus is not None:
            temporary = gruus.temporary(aor, binding.instance, binding.call_id, binding.cseq)
            value += b';pub-gruu="%b";temp-gruu="%b"' % (gruus.public(aor, binding.instance), temporary)
    return b"Contact", value + binding.params


def _unusual(value: bytes) -> tuple[bytes, Params]:
    if value == b"*":
        raise Refused(400, b"Contact * beside other contacts")
    address = NameAddr.parse(value)
    uri = Uri.parse(address.uri)
    if uri.scheme not in (b"sip", b"sips"):
        raise Refused(400, b"Contact is not a SIP URI")
    if uri.headers and b"<" not in value:  # section 20.10: then it must stand in <>
        raise Refused(400, b"Contact with headers outside of <>")
    address.params.pop(b"pub-gruu", None)
    address.params.pop(b"temp-gruu", None)
    return address.uri, address.params


def _without_gruus(rest: bytes) -> bytes:
    """RFC 5627 section 4.1: a phone may send them back; they are ours to make."""
    params = parse_params(rest)
    params.pop(b"pub-gruu", None)
    params.pop(b"temp-gruu", None)
    return join_params(params)


def _q(text: bytes | None) -> float:
    if text is None:
        return 1.0
    try:
        q = float(text) if len(text) <= 5 else -1.0
    except ValueError:
        q = -1.0
    if not 0 <= q <= 1:
        raise Refused(400, b"Bad q value")
    return 1.0 if q == 1 else q  # one object for all of them


def _reg_id(text: bytes | None) -> int:
    if text is None:
        return 0
    if not text.isdigit() or len(text) > 10 or not 1 <= (value := int(text)) <= MAX_REG_ID:
        raise ParseError("Bad reg-id")
    return value
