"""IO shell: what a packet test needs on a host of the laboratory: sockets opened inside it, frames."""

import socket
import struct
import time
from collections.abc import Callable

from haagent.lab.namespaces import Host

ETH_P_ALL, ETH_P_ARP, ETH_P_IPV6 = 0x0003, 0x0806, 0x86DD
BROADCAST = b"\xff" * 6


def packet_socket(host: Host, interface: str = "eth0", *, timeout: float = 0.5) -> socket.socket:
    """An AF_PACKET socket on the host's interface, which sees and sends whole frames."""
    with host.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((interface, ETH_P_ALL))
    sock.settimeout(timeout)
    return sock


def udp_socket(
    host: Host, address: str, port: int, *, options: tuple[tuple[int, int], ...] = ()
) -> socket.socket:
    """A UDP socket that is bound on the host, perhaps to an address that is not there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host.entered():
        sock = socket.socket(family, socket.SOCK_DGRAM)
        for level, option in options:
            sock.setsockopt(level, option, 1)
        sock.bind((address, port))
    sock.settimeout(0.5)
    return sock


def heard(sock: socket.socket, wanted: Callable[[bytes], bool], *, seconds: float) -> list[bytes]:
    """The frames that come within `seconds` and are wanted; our own are left out."""
    end = time.monotonic() + seconds
    found = []
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            frame, source = sock.recvfrom(65535)
        except TimeoutError:
            break
        if source[2] != socket.PACKET_OUTGOING and wanted(frame):
            found.append(frame)
    return found


def arp_request(mac: bytes, sender: str, target: str) -> bytes:
    """Who has `target`? RFC 826."""
    return _arp(1, BROADCAST, mac, socket.inet_aton(sender), b"\0" * 6, socket.inet_aton(target))


def gratuitous_arp(mac: bytes, address: str) -> bytes:
    """`address` is at `mac`, told to everybody."""
    packed = socket.inet_aton(address)
    return _arp(1, BROADCAST, mac, packed, BROADCAST, packed)


def neighbour_solicitation(mac: bytes, sender: str, target: str) -> bytes:
    """Who has `target`? RFC 4861 section 4.3, to its solicited-node group."""
    packed = socket.inet_pton(socket.AF_INET6, target)
    group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + packed[13:]
    source = socket.inet_pton(socket.AF_INET6, sender)
    body = struct.pack("!BBHI", 135, 0, 0, 0) + packed + b"\x01\x01" + mac
    total = checksum(source + group + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    header = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + source + group
    return b"\x33\x33" + group[12:] + mac + struct.pack("!H", ETH_P_IPV6) + header + body


def checksum(data: bytes) -> int:
    """The Internet checksum, RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _arp(operation: int, to: bytes, mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    head = to + mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, operation)
    return head + mac + sender + target_mac + target


def is_answer(frame: bytes) -> bool:
    """Whether the frame is an ARP reply or a neighbour advertisement (RFC 4861 section 4.4)."""
    if frame[12:14] == b"\x08\x06":
        return frame[20:22] == b"\x00\x02"
    return frame[12:14] == b"\x86\xdd" and frame[20:21] == b"\x3a" and frame[54:55] == b"\x88"
