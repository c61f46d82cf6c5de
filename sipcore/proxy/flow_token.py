"""Sans-IO: flow tokens of an edge proxy, RFC 5626 section 5.2: a hop as the user part of a Route.

The token says everything itself, so that nothing is kept for it; the HMAC before it keeps strangers from
having us send where they like.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from ipaddress import ip_address
from struct import Struct

from sipcore.transport.layer import Hop

TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
_MAC = 10  # bytes; RFC 5626 section 5.2 proposes 80 bits
_HEAD = Struct(">BBHQ")  # transport, listener, port, flow; the address follows


class FlowTokens:
    """Makes and reads tokens; both nodes of a pair have the same key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, hop: Hop) -> bytes:
        """The token that names this hop."""
        head = _HEAD.pack(TRANSPORTS.index(hop.transport), hop.listener, hop.port, hop.flow)
        text = head + ip_address(hop.host).packed
        return urlsafe_b64encode(self._mac(text) + text).rstrip(b"=")

    def read(self, token: bytes) -> Hop | None:
        """The hop that a token of ours names; None when it is not ours."""
        try:
            raw = urlsafe_b64decode(token + b"=" * (-len(token) % 4))
        except (Base64Error, ValueError):
            return None
        mac, text = raw[:_MAC], raw[_MAC:]
        if len(text) not in (_HEAD.size + 4, _HEAD.size + 16) or not hmac.compare_digest(
            mac, self._mac(text)
        ):
            return None
        transport, listener, port, flow = _HEAD.unpack_from(text)
        return Hop(str(ip_address(text[_HEAD.size :])), port, listener, TRANSPORTS[transport], flow)

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._key, b"flow" + text, "sha256")[:_MAC]
