"""Sans-IO: the HMAC trailer of an ADVERTISEMENT, draft-cassen-vrrp-auth-hmac: signed, checked, not replayed.

    type 1 | key id | reserved (2) | sequence: seconds UTC (4), 1/65536 s (2), counter (2) | HMAC (16)

The HMAC covers family, version, VRID and source, so that a packet cannot be moved to another virtual router
or sender.  A sequence grows with the sender's clock; a receiver takes none twice.  Keys have ids, and every
configured key is accepted, so that keys can be changed on one node after the other.

Deviations: without `window` a packet is not compared with our own clock, which may stand still or jump; then
a recorded packet is refused only by somebody who has heard a newer one.
"""

import hmac
import struct
from collections import OrderedDict
from typing import Literal

import msgspec

from haagent.vrrp.pdu import CHECKSUM_AT, PRIORITY_AT, Template, checksum

EXTENSION_TYPE = 1
TRAILER_SIZE = 28
MIN_KEY_SIZE, MAX_KEY_SIZE = 32, 64
MAX_SENDERS = 16  # of one virtual router whose sequence is remembered

_HEAD = struct.Struct("!BBHQ")
_HMAC_SIZE = 16
_FAMILY = {4: 4, 16: 6}

Mode = Literal["receive-only", "permissive", "enforce"]
Refusal = Literal["unsigned", "signature", "replay"]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """How one virtual router authenticates."""

    mode: Mode
    keys: dict[int, bytes]
    send: int  # the id of the key that signs
    window: float | None = None  # seconds that a sender's clock may differ from ours


class Signer:
    """Signs what one virtual router sends."""

    def __init__(self, keys: Keys, source: bytes) -> None:
        self._keys = keys
        self._source = source
        self._sequence = 0

    def packet(self, template: Template, priority: int, utc: float) -> bytes:
        """The packet with its trailer; `template.pseudo` was made for that length over IPv6."""
        pdu = bytearray(template.pdu)
        pdu[PRIORITY_AT] = priority
        self._sequence = max(_sequence(utc), self._sequence + 1)
        head = _HEAD.pack(EXTENSION_TYPE, self._keys.send, 0, self._sequence)
        trailer = head + _mac(self._keys.keys[self._keys.send], self._source, bytes(pdu), head)
        covered = pdu if len(self._source) == 4 else pdu + trailer
        struct.pack_into("!H", pdu, CHECKSUM_AT, checksum(template.pseudo + covered))
        return template.head + pdu + trailer


class Verifier:
    """Checks what one virtual router hears."""

    def __init__(self, keys: Keys, before: "Verifier | None" = None) -> None:
        """`before`: who has checked until now; what senders have said already is not taken again."""
        self._keys = keys
        self._newest: OrderedDict[bytes, int] = OrderedDict()  # by source
        if before is not None:
            self._newest = before._newest

    def check(self, source: bytes, message: bytes, trailer: bytes, utc: float) -> Refusal | None:
        """None when the packet may be taken; its checksum has been found right. No trailer: empty."""
        if not trailer:
            return "unsigned" if self._keys.mode == "enforce" else None
        kind, key_id, reserved, sequence = _HEAD.unpack_from(trailer)
        key = self._keys.keys.get(key_id)
        if kind != EXTENSION_TYPE or reserved or key is None:
            return "signature"
        window = self._keys.window
        if window is not None and abs((sequence >> 32) - utc) > window:
            return "replay"  # before the HMAC: recorded packets cost us nothing
        pdu = bytearray(message)
        pdu[CHECKSUM_AT : CHECKSUM_AT + 2] = b"\0\0"
        expected = _mac(key, source, bytes(pdu), trailer[: _HEAD.size])
        if not hmac.compare_digest(expected, trailer[_HEAD.size :]):
            return "signature"
        return None if self._is_new(source, sequence) else "replay"

    def _is_new(self, source: bytes, sequence: int) -> bool:
        """Only a signed packet moves what is remembered."""
        if sequence <= self._newest.get(source, -1):
            return False
        self._newest[source] = sequence
        self._newest.move_to_end(source)
        if len(self._newest) > MAX_SENDERS:
            self._newest.popitem(last=False)
        return True


def _mac(key: bytes, source: bytes, pdu: bytes, head: bytes) -> bytes:
    """Over the message with checksum 0 and the trailer with HMAC 0, bound to what the message belongs to."""
    version, vrid = pdu[0] >> 4, pdu[1]
    bound = bytes((_FAMILY[len(source)], version, vrid, 0)) + source.ljust(16, b"\0")
    return hmac.digest(key, bound + pdu + head + bytes(_HMAC_SIZE), "sha256")[:_HMAC_SIZE]


def _sequence(utc: float) -> int:
    """Seconds, 1/65536 of a second, and a counter that begins at 0."""
    return int(utc * 65536) << 16
