"""IO shell: raw route netlink: prebuilt address messages out, link and address events in.

The messages are built by pyroute2 in the control process (`haagent/prebuilt.py`); here they are only given a
sequence number, sent, and their acknowledgement read: 0.02 ms instead of 0.5 ms.
"""

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_LINK = struct.Struct("=BxHiII")  # family, device type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_SEQUENCE_OFFSET = 8

_NLMSG_ERROR = 2
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK = 16, 17, 18
_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_NLM_F_REQUEST, _NLM_F_DUMP = 1, 0x300
_GROUPS = 0x1 | 0x10 | 0x100  # links, IPv4 addresses, IPv6 addresses
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_EVENT_BUFFER = 1 << 20

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(slots=True)
class LinkEvent:
    """An interface is up with carrier, or not."""

    index: int
    usable: bool
    up: bool  # as the administrator has set it
    gone: bool = False


@dataclass(slots=True)
class AddressEvent:
    """An address is there, or has gone; `port`: the netlink port that asked for it (0: the kernel)."""

    index: int
    address: Address
    present: bool
    port: int


class RouteSocket:
    """Sends prebuilt messages and reads the kernel's answer to each."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[0]
        self._sequence = 0

    def send(self, message: bytes) -> int:
        """Send one message; 0 or the errno of the kernel's answer (already there when send returns)."""
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        packet = bytearray(message)
        struct.pack_into("=I", packet, _SEQUENCE_OFFSET, self._sequence)
        try:
            self._socket.send(packet)
            while True:
                answer = self._socket.recv(8192)
                _length, kind, _flags, sequence, _port = _HEADER.unpack_from(answer)
                if kind == _NLMSG_ERROR and sequence == self._sequence:
                    return -int(_ERROR.unpack_from(answer, _HEADER.size)[0])
        except OSError as error:
            return error.errno or errno.ETIMEDOUT

    def add(self, message: bytes) -> int:
        """Like send; an address that is there already is what was wanted."""
        code = self.send(message)
        return 0 if code == errno.EEXIST else code

    def remove(self, message: bytes) -> int:
        """Like send; an address (or interface) that is gone already is what was wanted."""
        code = self.send(message)
        return 0 if code in (errno.EADDRNOTAVAIL, errno.ENODEV) else code

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class EventSocket:
    """What the kernel says about links and addresses, from the present state on."""

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _EVENT_BUFFER)
        self._socket.bind((0, _GROUPS))
        self.overruns = 0
        self.ask_links()

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def ask_links(self) -> None:
        """Have the kernel tell the present state of every link."""
        body = _LINK.pack(0, 0, 0, 0, 0)
        header = _HEADER.pack(_HEADER.size + len(body), _RTM_GETLINK, _NLM_F_REQUEST | _NLM_F_DUMP, 1, 0)
        self._socket.send(header + body)

    def read(self) -> list[LinkEvent | AddressEvent]:
        """Every event that waits; after an overrun the links are asked for again."""
        events: list[LinkEvent | AddressEvent] = []
        while True:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                return events
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                self.ask_links()
                continue
            events.extend(parse_events(data))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def parse_events(data: bytes) -> Iterator[LinkEvent | AddressEvent]:
    """The link and address events in one read of a route netlink socket."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _flags, _sequence, port = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            return
        body = data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3
        if kind in (_RTM_NEWLINK, _RTM_DELLINK) and len(body) >= _LINK.size:
            family, _type, index, flags, _change = _LINK.unpack_from(body)
            if family == socket.AF_UNSPEC:  # a bridge port also sends AF_BRIDGE messages
                up = kind == _RTM_NEWLINK and bool(flags & _IFF_UP)
                yield LinkEvent(index, up and bool(flags & _IFF_LOWER_UP), up, kind == _RTM_DELLINK)
        elif kind in (_RTM_NEWADDR, _RTM_DELADDR) and len(body) >= _ADDRESS.size:
            address = _address(body)
            if address is not None:
                index = _ADDRESS.unpack_from(body)[4]
                yield AddressEvent(index, address, kind == _RTM_NEWADDR, port)


def _address(body: bytes) -> Address | None:
    """IFA_LOCAL (IPv4) or IFA_ADDRESS (IPv6)."""
    found: dict[int, bytes] = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    packed = found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS, b""))
    return ipaddress.ip_address(packed) if len(packed) in (4, 16) else None
