"""IO shell: a network namespace in which every address is reached, and what a server sends into it."""

import re
import socket
import struct
import subprocess
import time
from typing import NamedTuple

from haagent.lab import kernel
from haagent.lab.namespaces import become_root

SERVER = ("127.0.0.1", 5060)
SERVER6 = "2001:db8::1"
PHONE = "127.0.0.2"
CALLEE = ("127.0.0.3", 5062)
SETTLE = 0.06  # seconds of silence after the server has shown that it is done
PATIENCE = 5.0

_ALL_PROTOCOLS = 0x0003
_OUTGOING = 4
_PROBE = b"torture-probe-%d"
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Packet(NamedTuple):
    """A datagram of the server and where it went."""

    host: str
    port: int
    data: bytes

    @property
    def call_id(self) -> bytes:
        """Its Call-ID; empty when it has none."""
        found = _CALL_ID.search(self.data)
        return found[1] if found else b""


def enter_namespace() -> None:
    """A network of our own: what is sent to any address, broadcast or multicast goes out and is seen."""
    become_root()
    kernel.unshare(kernel.CLONE_NEWNET)
    for command in (
        "link set lo up",
        f"-6 address add {SERVER6}/128 dev lo nodad",
        "link add away type veth peer name nobody",
        "address add 198.51.100.1/24 dev away",
        "link set away up",
        "link set nobody up",
        "-6 address add 2001:db8:1::1/64 dev away nodad",
        "route add default dev away",
        "route add multicast 224.0.0.0/4 dev away",
        "route add local 192.0.2.0/24 dev lo",
        "-6 route add local 2001:db8::/48 dev lo",
    ):
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)


class Wire:
    """Sends to the server, and sees all that it sends, to whomever."""

    def __init__(self) -> None:
        self._sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
        self._sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._phone.bind((PHONE, 5060))
        self._probes = 0

    def close(self) -> None:
        """Close the sockets."""
        self._sniffer.close()
        self._phone.close()

    def ask(self, data: bytes) -> list[Packet]:
        """Send a datagram; what the server has sent when it is done with it."""
        self._phone.sendto(data, SERVER)
        self._probes += 1
        mark = _PROBE % self._probes
        self._phone.sendto(_probe(mark), SERVER)
        return self._until(mark)

    def throw(self, datagrams: list[bytes]) -> list[Packet]:
        """Send them one after the other; what the server has sent when it is done with the last."""
        for data in datagrams[:-1]:
            self._phone.sendto(data, SERVER)
        return self.ask(datagrams[-1])

    def _until(self, mark: bytes) -> list[Packet]:
        seen: list[Packet] = []
        end = time.monotonic() + PATIENCE
        self._sniffer.settimeout(PATIENCE)
        while time.monotonic() < end:
            try:
                frame, (_, protocol, kind, *_) = self._sniffer.recvfrom(65535)
            except TimeoutError:
                break
            packet = _packet(frame, protocol) if kind == _OUTGOING else None
            if packet is None:
                continue
            if packet.call_id == mark:
                self._sniffer.settimeout(SETTLE)
            elif not packet.call_id.startswith(_PROBE[:13]):
                seen.append(packet)
        return seen


def _probe(mark: bytes) -> bytes:
    server, phone = b"%b:%d" % (SERVER[0].encode(), SERVER[1]), PHONE.encode()
    return (
        b"OPTIONS sip:%b SIP/2.0\r\nVia: SIP/2.0/UDP %b:5060;branch=z9hG4bK%b\r\n"
        b"From: <sip:probe@%b>;tag=1\r\nTo: <sip:%b>\r\nCall-ID: %b\r\nCSeq: 1 OPTIONS\r\n"
        b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    ) % (server, phone, mark, phone, server, mark)


def _packet(frame: bytes, protocol: int) -> Packet | None:
    """The UDP datagram in an IP packet, if it comes from the server."""
    if protocol == 0x0800 and frame[9] == socket.IPPROTO_UDP:
        start = (frame[0] & 15) * 4
        source, host = socket.inet_ntoa(frame[12:16]), socket.inet_ntoa(frame[16:20])
    elif protocol == 0x86DD and frame[6] == socket.IPPROTO_UDP:
        start = 40
        source = socket.inet_ntop(socket.AF_INET6, frame[8:24])
        host = socket.inet_ntop(socket.AF_INET6, frame[24:40])
    else:
        return None
    source_port, port, length = struct.unpack_from("!HHH", frame, start)
    if source not in (SERVER[0], SERVER6) or source_port != SERVER[1]:
        return None
    return Packet(host, port, frame[start + 8 : start + length])
