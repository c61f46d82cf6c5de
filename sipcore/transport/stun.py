"""Sans-IO: STUN keepalives on a SIP socket: RFC 5626 section 3.5.2, the binding request of RFC 5389.

Deviations: no authentication (the keepalive has none, RFC 5626 section 8); a request in the old form of
RFC 3489, without the magic cookie, is dropped; XOR-MAPPED-ADDRESS is the only attribute of the answer, which
is so at most 24 bytes longer than the request.
"""

import ipaddress
import struct

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_BINDING_REQUEST, _BINDING_SUCCESS, _BINDING_ERROR = 0x0001, 0x0101, 0x0111
_MAGIC_COOKIE = 0x2112A442
_XOR_MAPPED_ADDRESS, _ERROR_CODE, _UNKNOWN_ATTRIBUTES = 0x0020, 0x0009, 0x000A
_UNDERSTOOD = frozenset(
    {0x0001, 0x0006, 0x0008, 0x0014, 0x0015, 0x0020}
)  # of RFC 5389; none changes the answer
_OPTIONAL = 0x8000  # section 15: from here on an attribute may be ignored
_UNKNOWN_ATTRIBUTE = b"\0\0\4\x14Unknown Attribute\0\0\0"  # 420


def binding_response(data: bytes, host: str, port: int) -> bytes | None:
    """The answer to a binding request from this address; None when the bytes are no request of RFC 5389."""
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if (
        kind != _BINDING_REQUEST
        or cookie != _MAGIC_COOKIE
        or length % 4
        or length != len(data) - _HEADER.size
    ):
        return None
    unknown = _unknown_attributes(data)
    if unknown is None:
        return None
    if unknown:  # section 7.3.1: 420 names them
        values = b"".join(struct.pack("!H", kind) for kind in unknown)
        body = _attribute(_ERROR_CODE, _UNKNOWN_ATTRIBUTE[:21]) + _attribute(_UNKNOWN_ATTRIBUTES, values)
        return _HEADER.pack(_BINDING_ERROR, len(body), _MAGIC_COOKIE, transaction_id) + body
    body = _attribute(_XOR_MAPPED_ADDRESS, _xor_address(host, port, transaction_id))
    return _HEADER.pack(_BINDING_SUCCESS, len(body), _MAGIC_COOKIE, transaction_id) + body


def _unknown_attributes(data: bytes) -> list[int] | None:
    """Those that must be understood and are not (at most 8); None when a length leads out of the message."""
    unknown: list[int] = []
    at = _HEADER.size
    while at < len(data):
        if at + _ATTRIBUTE.size > len(data):
            return None
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size + (length + 3 & ~3)
        if kind < _OPTIONAL and kind not in _UNDERSTOOD and len(unknown) < 8:
            unknown.append(kind)
    return unknown if at == len(data) else None


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + b"\0" * (-len(value) % 4)


def _xor_address(host: str, port: int, transaction_id: bytes) -> bytes:
    """Section 15.2: the address, hidden from NATs that rewrite what looks like one."""
    address = ipaddress.ip_address(host)
    key = struct.pack("!I", _MAGIC_COOKIE) + transaction_id
    hidden = bytes(a ^ b for a, b in zip(address.packed, key, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ (_MAGIC_COOKIE >> 16)) + hidden
