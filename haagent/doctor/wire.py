"""IO shell: one interface while the doctor listens to it: advertisements, ARP and NDP answers, own probes.

A probe of protocol 112 with a TTL of 0 never leaves the host (the kernel only loops it back), but passes the
output and input chains of the firewall.
"""

import os
import socket
import struct
from collections.abc import Iterable

from haagent.doctor.heard import HeardAdvertisement, read
from haagent.vip.neighbours import Address, answered, probe

GROUP = "224.0.0.18"
PROTOCOL = 112
MAX_HEARD = 1000
_ETH_P_ALL = 0x0003
_SOL_PACKET, _QDISC_BYPASS, _ADD_MEMBERSHIP, _MULTICAST = 263, 20, 1, 0
_PACKET_OUTGOING = 4
_BUFFER = 1 << 20
_MARK = b"haagent doctor "


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
            try:
                self._packets.send(probe(self._mac, address))
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
        address = answered(frame)
        if address is not None:
            self.answers.setdefault(address, set()).add(frame[6:12].hex(":"))


def _receive(sock: socket.socket) -> tuple[bytes, tuple[str, int, int]] | None:
    try:
        data, source = sock.recvfrom(65535)
    except OSError:
        return None
    return data, source
