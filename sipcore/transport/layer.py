"""Sans-IO: where messages come from and go to: RFC 3261 section 18 with rport (RFC 3581)."""

import ipaddress
from typing import NamedTuple

from sipcore.message import Request, Via

DEFAULT_PORT = 5060


class Hop(NamedTuple):
    """One end of the wire: address, port, the listener of ours that it talks with, and the transport."""

    host: str
    port: int
    listener: int = 0
    transport: str = "udp"


class Send(NamedTuple):
    """A datagram to send; with `hold` it waits until the standby has acknowledged the changes before it."""

    data: bytes
    hop: Hop
    hold: bool = False


def receive_fixup(request: Request, source: Hop) -> bytes | None:
    """The top Via with received and rport filled in (section 18.2.1, RFC 3581 section 4); None: as it is."""
    via = request.top_via
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
    """Where a response with this top Via goes (section 18.2.2): received before sent-by, rport first."""
    params = via.params
    host = params.get(b"maddr") or params.get(b"received") or via.host
    port = via.port or DEFAULT_PORT
    rport = params.get(b"rport")
    if rport and rport.isdigit() and len(rport) <= 5:
        port = int(rport)
    return Hop(host.strip(b"[]").decode("latin-1"), port, listener, via.transport.lower().decode("latin-1"))


def may_answer(hop: Hop) -> bool:
    """Whether a datagram may go there at all: a unicast IP address and a real port."""
    if not 0 < hop.port <= 65535:
        return False
    try:
        address = ipaddress.ip_address(hop.host)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or hop.host == "255.255.255.255")
