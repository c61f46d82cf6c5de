"""Sans-IO: HEP version 3 (EEP): how Homer and other capture servers take copies of SIP messages.

A packet is `HEP3`, its length, then chunks: vendor, type, length, value (all big-endian). Deviations: no
compressed payload, no keep-alive; a message with which the packet would pass 65,535 bytes is left out.
"""

from ipaddress import IPv6Address, ip_address
from struct import Struct

from sipcore.transport.trace import Seen

MAX_PACKET = 65535  # the length has 16 bits
_HEAD = Struct("!4sH")
_CHUNK = Struct("!HHH")
_INET, _INET6 = 2, 10
_UDP, _TCP = 17, 6
_SIP = 1
_GENERIC = 0  # vendor

_FAMILY, _PROTOCOL, _SOURCE_4, _DESTINATION_4, _SOURCE_6, _DESTINATION_6 = 1, 2, 3, 4, 5, 6
_SOURCE_PORT, _DESTINATION_PORT, _SECONDS, _MICROSECONDS, _KIND, _CAPTURE_ID = 7, 8, 9, 10, 11, 12
_AUTH_KEY, _PAYLOAD, _CORRELATION_ID = 14, 15, 17


class HepEncoder:
    """Writes packets for one capture server; `capture_id` names this node there."""

    def __init__(self, capture_id: int, auth_key: bytes = b"") -> None:
        self._auth_key = _chunk(_AUTH_KEY, auth_key) if auth_key else b""
        self._capture_id = _chunk(_CAPTURE_ID, capture_id.to_bytes(4))

    def encode(self, seen: Seen, payload: bytes) -> bytes | None:
        """The packet of one message; None when it is too large for one."""
        remote = seen.hop.host, seen.hop.port
        ends = (remote, seen.local) if seen.incoming else (seen.local, remote)
        correlation = seen.call_id
        seconds, micro = divmod(round(seen.at * 1_000_000), 1_000_000)
        chunks = b"".join(
            (
                _endpoints(*ends),
                _chunk(_PROTOCOL, bytes((_UDP if seen.hop.transport == "udp" else _TCP,))),
                _chunk(_SECONDS, seconds.to_bytes(4)),
                _chunk(_MICROSECONDS, micro.to_bytes(4)),
                _chunk(_KIND, bytes((_SIP,))),
                self._capture_id,
                self._auth_key,
                _chunk(_CORRELATION_ID, correlation) if correlation else b"",
            )
        )
        length = _HEAD.size + len(chunks) + _CHUNK.size + len(payload)
        if length > MAX_PACKET:
            return None
        return _HEAD.pack(b"HEP3", length) + chunks + _chunk(_PAYLOAD, payload)


def _endpoints(source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """Family, addresses and ports; an IPv4 address in IPv6 dress beside an IPv6 one stays as it is."""
    addresses = [ip_address(host) for host, _ in (source, destination)]
    six = any(address.version == 6 for address in addresses)
    if six:
        packed = [
            address.packed if address.version == 6 else IPv6Address(f"::ffff:{address}").packed
            for address in addresses
        ]
    else:
        packed = [address.packed for address in addresses]
    types = (_SOURCE_6, _DESTINATION_6) if six else (_SOURCE_4, _DESTINATION_4)
    return b"".join(
        (
            _chunk(_FAMILY, bytes((_INET6 if six else _INET,))),
            _chunk(types[0], packed[0]),
            _chunk(types[1], packed[1]),
            _chunk(_SOURCE_PORT, source[1].to_bytes(2)),
            _chunk(_DESTINATION_PORT, destination[1].to_bytes(2)),
        )
    )


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(_GENERIC, kind, _CHUNK.size + len(value)) + value
