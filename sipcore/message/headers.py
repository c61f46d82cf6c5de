"""Sans-IO: header names: long and compact, any case, white space before the colon (RFC 3261 section 7.3)."""

from sipcore.message.grammar import TOKEN

# Compact forms (section 7.3.3 and the IANA registry).
COMPACT = {
    b"a": b"accept-contact", b"b": b"referred-by", b"c": b"content-type", b"d": b"request-disposition",
    b"e": b"content-encoding", b"f": b"from", b"i": b"call-id", b"j": b"reject-contact", b"k": b"supported",
    b"l": b"content-length", b"m": b"contact", b"n": b"identity-info", b"o": b"event", b"r": b"refer-to",
    b"s": b"subject", b"t": b"to", b"u": b"allow-events", b"v": b"via", b"x": b"session-expires",
    b"y": b"identity",
}  # fmt: skip

_COMMON = (
    b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Max-Forwards", b"Contact", b"Content-Type",
    b"Content-Length", b"Route", b"Record-Route", b"Path", b"Expires", b"Min-Expires", b"Allow",
    b"Supported", b"Require", b"Proxy-Require", b"Unsupported", b"User-Agent", b"Server", b"Accept",
    b"Authorization", b"WWW-Authenticate", b"Proxy-Authorization", b"Proxy-Authenticate",
    b"Session-Expires", b"Min-SE", b"Event", b"Subscription-State", b"Refer-To", b"Referred-By", b"RAck",
    b"RSeq", b"Reason", b"Privacy", b"P-Asserted-Identity", b"P-Preferred-Identity", b"Date",
    b"Timestamp", b"Subject", b"Warning", b"Retry-After", b"Allow-Events", b"Accept-Encoding",
    b"Accept-Language", b"Content-Disposition", b"Diversion", b"Replaces",
)  # fmt: skip
_MAX_KNOWN = 2048
_MAX_LENGTH = 64

known: dict[bytes, bytes] = {}
"""Spelling seen on the wire -> long form in lower case. Bounded; what the peers really use is in it."""


def _seed() -> None:
    known.clear()
    for name in _COMMON:
        known[name] = known[name.lower()] = name.lower()
    for short, name in COMPACT.items():
        known[short] = known[short.upper()] = name


_seed()


def long_name(spelling: bytes) -> bytes:
    """The long form in lower case of a header name as it was spelled; empty when it is no token."""
    name = known.get(spelling)
    if name is not None:
        return name
    name = spelling.rstrip(b" \t").lower()
    if not TOKEN.match(name):
        return b""
    name = COMPACT.get(name, name)
    if len(spelling) <= _MAX_LENGTH:
        if len(known) >= _MAX_KNOWN:
            _seed()  # somebody sends names that he makes up
        known[spelling] = name
    return name


def line_value(line: bytes) -> bytes:
    """The value of a header line, unfolded and stripped."""
    value = line.partition(b":")[2].strip()
    if b"\n" in value:
        return b" ".join([part.strip() for part in value.split(b"\r\n")])
    return value
