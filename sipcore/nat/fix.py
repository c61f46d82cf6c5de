"""Sans-IO: what a proxy writes into the messages of phones behind NAT, so that others reach them.

Functions on header values: who calls them puts the result into what is relayed. `;alias=` is Kamailio's: the
address that a phone was seen at travels in its Contact, comes back in the Request-URI of requests within the
dialog, and is taken out again before the phone sees it; the Contact itself stays true, and no state is kept.
"""

from collections.abc import Callable
from ipaddress import ip_address

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Request, Uri
from sipcore.message.params import join_params, split_values
from sipcore.message.sdp import Sdp, find
from sipcore.transport.layer import MAX_PORT, Hop

Change = Callable[[Uri], bytes]

# The numbers of Kamailio's protocols.
_NUMBERS = {"udp": b"1", "tcp": b"2", "tls": b"3", "ws": b"5", "wss": b"6"}
_TRANSPORTS = {number: name.encode() for name, number in _NUMBERS.items()}


def fix_nated_contact(value: bytes, source: Hop) -> bytes:
    """A Contact header value whose first address is the one that the message came from."""
    return _edit_first(value, lambda uri: _with_hostport(uri, source))


def add_contact_alias(value: bytes, source: Hop) -> bytes:
    """A Contact header value whose first URI carries the address that the message came from."""
    return _edit_first(value, lambda uri: _with_alias(uri, source))


def handle_ruri_alias(uri: bytes) -> tuple[bytes, bytes]:
    """The Request-URI without its alias, and the URI of the address to send to instead; empty: no alias."""
    if b";alias=" not in uri:
        return uri, b""
    parsed = Uri.parse(uri)
    alias = parsed.params.pop(b"alias", None)
    if alias is None:
        return uri, b""
    host, _, rest = alias.partition(b"~")
    port, _, number = rest.partition(b"~")
    transport = _TRANSPORTS.get(number)
    if not _is_address(host) or not port.isdigit() or not 0 < int(port[:6]) <= MAX_PORT or transport is None:
        raise ParseError("Bad alias in the Request-URI")
    return bytes(parsed), _way(host, port, transport)


def alias_way(seen: Hop) -> bytes:
    """What `handle_ruri_alias` makes of the alias of a phone that was seen there."""
    return _way(_wire_host(seen.host), b"%d" % seen.port, seen.transport.encode())


def fix_nated_sdp(content_type: bytes, body: bytes, host: str, *, origin: bool = False) -> bytes:
    """The body with this address in each c= of its session description (and in o=, with `origin`)."""
    place = find(content_type, body)
    if place is None:
        return body
    start, end = place
    return body[:start] + Sdp.parse(body[start:end]).with_address(host.encode(), origin=origin) + body[end:]


def force_rport(request: Request, source: Hop) -> None:
    """Answer to the port that the request came from, also where its Via does not ask for it (RFC 3581)."""
    via = request.top_via
    via.params[b"received"] = source.host.encode()
    via.params[b"rport"] = b"%d" % source.port
    request.put_top_via(via)


def _edit_first(value: bytes, change: Change) -> bytes:
    values = split_values(value)
    if values[0] == b"*":
        return value
    address = NameAddr.parse(values[0])
    before, uri, after = values[0].partition(address.uri)
    new = change(Uri.parse(uri))
    if b"<" not in values[0]:  # a parameter of the URI would become one of the header
        new, after = b"<" + new + b">", join_params(address.params)
    return b", ".join((before + new + after, *values[1:]))


def _with_hostport(uri: Uri, source: Hop) -> bytes:
    uri.host = _wire_host(source.host)
    uri.port = source.port
    return bytes(uri)


def _with_alias(uri: Uri, source: Hop) -> bytes:
    number = _NUMBERS.get(source.transport, b"1")
    uri.params[b"alias"] = b"%b~%d~%b" % (_wire_host(source.host), source.port, number)
    return bytes(uri)


def _way(host: bytes, port: bytes, transport: bytes) -> bytes:
    tail = b"" if transport == b"udp" else b";transport=" + transport
    return b"sip:%b:%b%b" % (host, port, tail)


def _wire_host(host: str) -> bytes:
    return (f"[{host}]" if ":" in host else host).encode()


def _is_address(host: bytes) -> bool:
    try:
        ip_address(host.strip(b"[]").decode("ascii", "replace"))
    except ValueError:
        return False
    return True
