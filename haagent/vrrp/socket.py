"""IO shell: the VRRP sockets of an interface: advertisements in (IP protocol 112, 224.0.0.18), frames out."""

import socket
import struct

VRRP_PROTOCOL = 112
GROUP = "224.0.0.18"  # RFC 9568 section 5.1.1.2
BATCH = 64
_RECEIVE_BUFFER = 1 << 18


class VrrpSocket:
    """Whole IPv4 packets of VRRP as they came in on one interface, so that the TTL can be checked."""

    def __init__(self, interface: str, index: int) -> None:
        self._socket = socket.socket(
            socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, VRRP_PROTOCOL
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        membership = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), index)  # struct ip_mreqn
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
