"""Sans-IO: questions to the link without a sender's address, and who answers for an address.

The probes are those of duplicate address detection (RFC 5227 section 2.1.1, RFC 4862 section 5.4.2): nobody
learns anything from them.
"""

import ipaddress
import struct

ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def probe(mac: bytes, address: Address) -> bytes:
    """The frame that asks who has it."""
    return _arp(mac, address) if address.version == 4 else _solicitation(mac, address)


def answered(frame: bytes) -> str | None:
    """The address of an ARP reply or a neighbour advertisement."""
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02" and len(frame) >= 32:
        return str(ipaddress.ip_address(frame[28:32]))
    is_ndp = frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a" and frame[54:55] == b"\x88"
    return str(ipaddress.ip_address(frame[62:78])) if is_ndp and len(frame) >= 78 else None


def _arp(mac: bytes, address: ipaddress.IPv4Address) -> bytes:
    header = b"\xff" * 6 + mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 1)
    return header + mac + bytes(4) + bytes(6) + address.packed


def _solicitation(mac: bytes, address: ipaddress.IPv6Address) -> bytes:
    """RFC 4861 section 4.3, from the unspecified address to the solicited-node group."""
    group = ipaddress.ip_address("ff02::1:ff00:0").packed[:13] + address.packed[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + address.packed
    pseudo = bytes(16) + group + struct.pack("!II", len(body), 58)
    words = struct.unpack(f"!{len(pseudo + body) // 2}H", pseudo + body)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    body = body[:2] + struct.pack("!H", total) + body[4:]
    header = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + bytes(16) + group
    ethernet = b"\x33\x33" + group[12:] + mac + struct.pack("!H", ETH_P_IPV6)
    return ethernet + header + body
