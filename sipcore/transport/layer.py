"""Sans-IO: where messages come from and go to: RFC 3261 section 18 with rport (RFC 3581).

Deviations: maddr in a Via is not obeyed (section 18.2.2). It is there for multicast, which we do not serve,
and would let anyone have our answers sent to a third party.
"""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

from sipcore.message import Request, Via

DEFAULT_PORT = 5060
TLS_PORT = 5061
MAX_PORT = 65535
MAX_ADDRESS = 64  # characters of an IPv6 address with a zone


class Hop(NamedTuple):
    """One end of the wire: address, port, the listener of ours that it talks with, and the transport.

    `flow` is the number of the connection that a message came over (0: none); it means something only in the
    process that gave it, and no other process has the same, so a standby may keep it. `name` is the domain
    that the certificate of an outgoing TLS connection must carry (RFC 5922). New fields go to the end, with a
    default: a hop stands in replication records.
    """

    host: str
    port: int
    listener: int = 0
    transport: str = "udp"  # "udp", "tcp", "tls", "ws", "wss"
    flow: int = 0
    name: str = ""


class Send(NamedTuple):
    """A datagram to send; with `hold` it waits until the standby has acknowledged the changes before it."""

    data: bytes
    hop: Hop
    hold: bool = False


def receive_fixup(request: Request, source: Hop) -> bytes | None:
    """The top Via with received and rport filled in (section 18.2.1, RFC 3581 section 4); None: as it is.

    `request.top_via` has them too; `request.put_top_via` writes them into the message. A Via that the parser
    could not read, of a request that is refused, stays as it is.
    """
    via = request.top_via
    if not via.host:
        return None
    params = via.params
    host = via.host.strip(b"[]").lower().decode("latin-1")
    wants_port = b"rport" in params
    if host == source.host and not wants_port and b"received" not in params:
        return None
    if host != source.host or wants_port:
        params[b"received"] = source.host.encode()
    else:
        params.pop(b"received", None)  # not the sender's to set
    if wants_port:
        params[b"rport"] = b"%d" % source.port
    return bytes(via)


def response_hop(via: Via, listener: int) -> Hop:
    """Where a response with this top Via goes (section 18.2.2): received and rport, or sent-by."""
    params = via.params
    port = via.port or DEFAULT_PORT
    host = params.get(b"received") or via.host
    rport = params.get(b"rport")
    if rport and rport.isdigit() and len(rport) <= 5:
        port = int(rport)
    return Hop(host.strip(b"[]").decode("latin-1"), port, listener, via.transport.lower().decode("latin-1"))


def default_port(transport: str) -> int:
    """The port of a sent-by or a URI that names none, section 19.1.2; RFC 7118 section 5.5 for WebSocket."""
    return TLS_PORT if transport == "tls" else {"ws": 80, "wss": 443}.get(transport, DEFAULT_PORT)


def may_answer(hop: Hop) -> bool:
    """Whether a datagram may go there at all: a unicast IP address (no name) and a real port."""
    # what is longer than an address is none, and is not kept in the cache
    return 0 < hop.port <= MAX_PORT and len(hop.host) <= MAX_ADDRESS and _is_unicast(hop.host)


@lru_cache(maxsize=4096)
def _is_unicast(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    # 240.0.0.0/4 is reserved, with the broadcast address in it
    return not (
        address.is_multicast or address.is_unspecified or (address.version == 4 and address.is_reserved)
    )
