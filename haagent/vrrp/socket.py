"""IO shell: the VRRP sockets of an interface: advertisements in (IP protocol 112), frames and packets out."""

import socket
import struct
from ipaddress import IPv4Address, IPv6Address

from haagent.vrrp.packet import Datagram
from haagent.vrrp.pdu import GROUP, GROUP6, PROTOCOL, TTL

INTERNETWORK_CONTROL = 0xC0
BATCH = 64
_RECEIVE_BUFFER = 1 << 18
_CONTROL_SIZE = 128
_IPV6_PKTINFO_ADDRESS = 16  # octets of struct in6_pktinfo that are the address


class VrrpSocket:
    """Whole IPv4 packets of VRRP as they came in on one interface, so that the TTL can be checked."""

    def __init__(self, interface: str, index: int) -> None:
        self._socket = _raw(socket.AF_INET, interface)
        membership = struct.pack("=4s4si", GROUP.packed, bytes(4), index)  # struct ip_mreqn
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def read(self) -> list[bytes]:
        """Up to 64 packets that wait, each with its IPv4 header."""
        packets: list[bytes] = []
        try:
            while len(packets) < BATCH:
                packets.append(self._socket.recv(65535))
        except BlockingIOError:
            pass
        except OSError:  # the interface went down: netlink says so
            pass
        return packets


class Vrrp6Socket:
    """VRRP over IPv6: the kernel keeps the header, and tells hop limit and destination beside the message."""

    def __init__(self, interface: str, index: int) -> None:
        self._socket = _raw(socket.AF_INET6, interface)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        membership = struct.pack("=16si", GROUP6.packed, index)  # struct ipv6_mreq
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def read(self) -> list[Datagram]:
        """Up to 64 messages that wait."""
        datagrams: list[Datagram] = []
        try:
            while len(datagrams) < BATCH:
                pdu, control, _flags, sender = self._socket.recvmsg(65535, _CONTROL_SIZE)
                source = socket.inet_pton(socket.AF_INET6, sender[0].partition("%")[0])
                hop_limit, destination = _hop_limit_and_destination(control)
                datagrams.append(Datagram(hop_limit, source, destination, pdu))
        except BlockingIOError:
            pass
        except OSError:  # the interface went down: netlink says so
            pass
        return datagrams


ReceivingSocket = VrrpSocket | Vrrp6Socket


def open_vrrp(family: int, interface: str, index: int) -> ReceivingSocket:
    """The socket for the advertisements of one family (4 or 6) on an interface."""
    return VrrpSocket(interface, index) if family == 4 else Vrrp6Socket(interface, index)


class FrameSocket:
    """Sends prebuilt Ethernet frames on one interface."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
        )
        self._socket.bind((interface, 0))
        self.errors = 0

    def send(self, frame: bytes) -> bool:
        """Send one frame; a failure (interface down, dropped by a rule) is counted."""
        try:
            self._socket.send(frame)
        except OSError:
            self.errors += 1
            return False
        return True


class UnicastSocket:
    """Sends VRRP messages to single hosts; the kernel writes the IP header and finds the way."""

    def __init__(self, interface: str, source: IPv4Address | IPv6Address) -> None:
        family = socket.AF_INET if source.version == 4 else socket.AF_INET6
        self._socket = _raw(family, interface)
        if source.version == 4:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TTL)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, INTERNETWORK_CONTROL)
            self._socket.bind((str(source), 0))
        else:
            index = socket.if_nametoindex(interface)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL)
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, INTERNETWORK_CONTROL)
            self._socket.bind((str(source), 0, 0, index))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # it is never read
        self._scope = 0 if source.version == 4 else socket.if_nametoindex(interface)
        self.errors = 0

    def send(self, message: bytes, to: str) -> bool:
        """Send one message; a failure is counted."""
        try:
            self._socket.sendto(message, (to, 0) if not self._scope else (to, 0, 0, self._scope))
        except OSError:
            self.errors += 1
            return False
        return True


def _raw(family: int, interface: str) -> socket.socket:
    raw = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, PROTOCOL)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    return raw


def _hop_limit_and_destination(control: list[tuple[int, int, bytes]]) -> tuple[int, bytes]:
    """From the ancillary data."""
    hop_limit, destination = 0, b""
    for level, kind, data in control:
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_HOPLIMIT:
            hop_limit = struct.unpack("=i", data)[0]
        elif level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            destination = data[:_IPV6_PKTINFO_ADDRESS]
    return hop_limit, destination
