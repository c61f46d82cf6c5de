"""IO shell: the doctor as the peer's caller: connects, greets, reads one frame, and leaves.

A peer takes a caller that sent no frame for nobody: neither is its connection with our agent tried while that
stands (a new connection would replace it), nor is our leaving taken for a death.
"""

import contextlib
import ipaddress
import os
import select
import socket
import struct
import time
from pathlib import Path

from haagent.config import PeerConfig
from haagent.doctor.facts import PeerFacts, SizeFacts
from haagent.doctor.heard import sources
from haagent.peer.channel import PeerChannel
from haagent.peer.messages import Hello

SECONDS = 2.0
MIN_MTU = 68
_IP_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 3  # linux/in.h: do not fragment, and believe no earlier answer
_IP_AND_ICMP = 28


def peer_facts(peer: PeerConfig) -> PeerFacts:
    """Whether it answers, whether it knows our key, and what it says of itself."""
    facts = PeerFacts()
    try:
        key = Path(peer.key_file).read_bytes().strip()
    except OSError as error:
        facts.error = f"key_file {peer.key_file}: {error.strerror}"
        return facts
    family = socket.AF_INET if peer.address.ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(SECONDS)
        try:
            stream.bind((str(peer.local), 0))
            stream.connect((str(peer.address), peer.port))
            _listen(stream, PeerChannel(key, os.urandom(32)), facts)
        except OSError as error:
            facts.error = _why(error)
    return facts


def _listen(stream: socket.socket, channel: PeerChannel, facts: PeerFacts) -> None:
    stream.sendall(channel.greeting())
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        data = stream.recv(65536)
        if not data:
            facts.error = "the connection was closed: is this node the peer.address of the other one?"
            return
        hellos = [message for message in channel.receive(data) if isinstance(message, Hello)]
        if channel.closed is not None:
            facts.key_error = channel.closed
            return
        if hellos:
            hello = hellos[0]
            facts.node, facts.role = hello.node, str(hello.role)
            facts.addresses = sources(hello)
            return
    facts.error = f"no word within {SECONDS:g} s"


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS:g} s: a firewall, or no path"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there, or a firewall rejects it"
    return error.strerror or str(error)


def path_size(interface: str, address: str, mtu: int) -> SizeFacts:
    """Ping with the smallest and with the longest packet that the interface takes."""
    facts = SizeFacts(interface, address, mtu, small=False, full=False)
    if ipaddress.ip_address(address).version != 4 or mtu < MIN_MTU:
        return facts
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        facts.small = _ping(sock, address, 8, 1)
        facts.full = facts.small and _ping(sock, address, mtu - _IP_AND_ICMP, 2)
    return facts


def _ping(sock: socket.socket, address: str, size: int, sequence: int) -> bool:
    """One echo request (RFC 792), tried twice."""
    body = os.urandom(8) + bytes(max(0, size - 8))
    words = struct.unpack(f"!{(len(body) + 1) // 2}H", body + bytes(len(body) % 2))
    total = 0x0800 + sequence + sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    packet = struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, 0, sequence) + body
    for _ in range(2):
        try:
            sock.sendto(packet, (address, 0))
        except OSError:
            return False
        end = time.monotonic() + 0.5
        while (left := end - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
            answer = sock.recv(65535)
            if answer[20:21] == b"\0" and answer[28:36] == body[:8]:
                return True
    return False
