"""IO shell: one interface while the doctor listens to it: advertisements, ARP and NDP answers, own probes.

A probe of protocol 112 with a TTL of 0 never leaves the host (the kernel only loops it back), but passes the
output and input chains of the firewall. ARP and NDP probes are those of duplicate address detection (RFC 5227
section 2.1.1, RFC 4862 section 5.4.2): they have no sender address, so that nobody learns anything from them.
"""

import ipaddress
import os
import socket
import struct
from collections.abc import Iterable

from haagent.doctor.heard import HeardAdvertisement, read

GROUP = "224.0.0.18"
PROTOCOL = 112
MAX_HEARD = 1000
_ETH_P_ALL, _ETH_P_ARP, _ETH_P_IPV6 = 0x0003, 0x0806, 0x86DD
_SOL_PACKET, _QDISC_BYPASS, _ADD_MEMBERSHIP, _MULTICAST = 263, 20, 1, 0
_PACKET_OUTGOING = 4
_BUFFER = 1 << 20
_MARK = b"haagent doctor "

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Wire:
    """The sockets on one interface; close it."""

    def __init__(self, interface: str, index: int, mac: str) -> None:
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._nonce = _MARK + os.urandom(8)
        self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._packets.bind((interface, _ETH_P_ALL))
        self._packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        for group in (b"\x01\x00\x5e\x00\x00\x12", b"\x33\x33\x00\x00\x00\x12"):  # ff02::12
            membership = struct.pack("=iHH8s", index, _MULTICAST, 6, group)
            self._packets.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        self._vrrp = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
        self._vrrp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        request = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), index)  # struct ip_mreqn
        self._vrrp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        self._vrrp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        self._vrrp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        for sock in self.sockets:
            sock.setblocking(False)
        self.heard: list[HeardAdvertisement] = []
        self.passed = 0
        self.probe = "lost"
        self.answers: dict[str, set[str]] = {}  # address -> MACs

    @property
    def sockets(self) -> tuple[socket.socket, socket.socket]:
        """To wait for."""
        return self._packets, self._vrrp

    def close(self) -> None:
        """Both sockets."""
        for sock in self.sockets:
            sock.close()

    def send_probe(self) -> None:
        """A packet of protocol 112 to ourselves; its version is 0: nobody takes it for an advertisement."""
        try:
            self._vrrp.sendto(b"\0" * 8 + self._nonce, (GROUP, 0))
        except OSError:
            self.probe = "refused"

    def ask(self, addresses: Iterable[Address]) -> None:
        """Who has them?"""
        for address in addresses:
            frame = self._arp(address) if address.version == 4 else self._solicitation(address)
            try:
                self._packets.send(frame)
            except OSError:
                return

    def on_readable(self) -> None:
        """Read what has come."""
        while (got := _receive(self._packets)) is not None:
            frame, source = got
            if source[2] != _PACKET_OUTGOING:
                self._on_frame(frame)
        while (got := _receive(self._vrrp)) is not None:
            packet, sender = got
            if self._nonce in packet:
                self.probe = "passed"
            elif any(advert.source == sender[0] for advert in self.heard):
                self.passed += 1

    def _on_frame(self, frame: bytes) -> None:
        advert = read(frame)
        if advert is not None:
            if len(self.heard) < MAX_HEARD:
                self.heard.append(advert)
            return
        address = _answered(frame)
        if address is not None:
            self.answers.setdefault(address, set()).add(frame[6:12].hex(":"))

    def _arp(self, address: ipaddress.IPv4Address) -> bytes:
        header = b"\xff" * 6 + self._mac + struct.pack("!HHHBBH", _ETH_P_ARP, 1, 0x0800, 6, 4, 1)
        return header + self._mac + bytes(4) + bytes(6) + address.packed

    def _solicitation(self, address: ipaddress.IPv6Address) -> bytes:
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
        ethernet = b"\x33\x33" + group[12:] + self._mac + struct.pack("!H", _ETH_P_IPV6)
        return ethernet + header + body


def _answered(frame: bytes) -> str | None:
    """The address of an ARP reply or a neighbour advertisement."""
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02" and len(frame) >= 32:
        return str(ipaddress.ip_address(frame[28:32]))
    if (
        frame[12:14] == b"\x86\xdd"
        and frame[20:21] == b"\x3a"
        and frame[54:55] == b"\x88"
        and len(frame) >= 78
    ):
        return str(ipaddress.ip_address(frame[62:78]))
    return None


def _receive(sock: socket.socket) -> tuple[bytes, tuple[str, int, int]] | None:
    try:
        data, source = sock.recvfrom(65535)
    except OSError:
        return None
    return data, source
