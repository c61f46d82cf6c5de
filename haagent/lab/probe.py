"""IO shell: a client that asks the virtual IP all the time and writes down who answers when.

Every millisecond an ICMP echo, every 5 ms a SIP OPTIONS, every 10 ms an ARP request, so that holes and double
owners show. Answers are read below the IP stack: the sender's MAC says which node it was. The ARP requests
come from a MAC and an address (0.0.0.0) that nobody uses: their answers must not mend its neighbour table.
"""

import argparse
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from haagent.lab.sight import Sort
from haagent.lab.topology import OWNER, PORTS, VIP, address

ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ASKER = bytes.fromhex("028800000099")
SIP_PORT = 5060
OWN_SIP_PORT = 5099
TICK = 0.001
FLUSH = 0.02


class Probe:
    """The sockets, and the loop that never drifts: the time of the next question is counted, not slept."""

    def __init__(self, vip: str, sip_every: int) -> None:
        self._sip_every = sip_every
        self._vip = socket.inet_aton(vip)
        self._target = (vip, 0)
        self._sip_target = (vip, SIP_PORT)
        self._id = os.getpid() & 0xFFFF
        self._count = 0
        self._lines: list[str] = []
        self._echo = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.bind(("", OWN_SIP_PORT))
        # What arrives is read from the packet sockets; these two would only fill up.
        for sender in (self._echo, self._sip):
            sender.setblocking(False)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self._ip_in = _packet_socket(ETH_P_IP)
        self._arp = _packet_socket(ETH_P_ARP)
        own = next(port.mac for port in PORTS if port.host == "client")
        self._own = bytes.fromhex(own.replace(":", ""))

    def run(self) -> None:
        """Ask until standard input ends."""
        start = time.monotonic()
        flushed = start
        readers = [self._ip_in, self._arp, sys.stdin]
        while True:
            due = start + self._count * TICK
            now = time.monotonic()
            if now >= due:
                self._ask()
                if now - due > 5 * TICK:
                    self._lines.append(f"{Sort.STALL} {now:.6f} {now - due:.6f}\n")
                if now - due > 50 * TICK:  # we were not given the processor: do not catch up in a burst
                    start, self._count = now, 0
                continue
            ready, _, _ = select.select(readers, [], [], due - now)
            if self._ip_in in ready:
                self._drain(self._ip_in, self._on_ip)
            if self._arp in ready:
                self._drain(self._arp, self._on_arp)
            if now - flushed > FLUSH:
                flushed = now
                self._flush()
            if sys.stdin in ready:
                self._flush()
                return

    def _ask(self) -> None:
        self._count += 1
        count = self._count
        with suppress(OSError):  # a full queue or no neighbour: it counts as not answered
            self._echo.sendto(_echo_request(self._id, count & 0xFFFF), self._target)
        if count % self._sip_every == 0:
            with suppress(OSError):
                self._sip.sendto(self._options(count), self._sip_target)
        if count % 10 == 0:
            self._arp.send(
                b"\xff" * 6 + ASKER + struct.pack("!HHHBBH", ETH_P_ARP, 1, ETH_P_IP, 6, 4, 1)
                + ASKER + bytes(4) + bytes(6) + self._vip
            )  # fmt: skip

    def _options(self, count: int) -> bytes:
        own = address("client")
        unique = f"{self._id}-{time.monotonic_ns():x}-{count}"
        return (
            f"OPTIONS sip:{self._target[0]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {own}:{OWN_SIP_PORT};branch=z9hG4bK{unique}\r\n"
            f"From: <sip:probe@{own}>;tag={self._id}\r\nTo: <sip:{self._target[0]}>\r\n"
            f"Call-ID: {unique}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    def _drain(self, sock: socket.socket, each: Callable[[bytes, float], None]) -> None:
        with suppress(BlockingIOError):
            while True:
                frame = sock.recv(512)
                each(frame, time.monotonic())

    def _on_ip(self, frame: bytes, now: float) -> None:
        if len(frame) < 42 or frame[26:30] != self._vip or frame[0:6] != self._own:
            return
        protocol, payload = frame[23], 14 + (frame[14] & 15) * 4
        if protocol == socket.IPPROTO_ICMP:
            kind, _, _, ident = struct.unpack_from("!BBHH", frame, payload)
            if kind == 0 and ident == self._id:
                self._note(Sort.ICMP, frame, now)
        elif protocol == socket.IPPROTO_UDP:
            source, target = struct.unpack_from("!HH", frame, payload)
            if source == SIP_PORT and target == OWN_SIP_PORT:
                self._note(Sort.SIP, frame, now)

    def _on_arp(self, frame: bytes, now: float) -> None:
        reply = len(frame) >= 42 and frame[20:22] == b"\0\2"
        if reply and frame[28:32] == self._vip and frame[32:38] == ASKER:
            self._note(Sort.ARP, frame, now)

    def _note(self, sort: Sort, frame: bytes, now: float) -> None:
        mac = frame[6:12]
        self._lines.append(f"{sort} {now:.6f} {OWNER.get(mac) or mac.hex()}\n")

    def _flush(self) -> None:
        if self._lines:
            sys.stdout.write("".join(self._lines))
            sys.stdout.flush()
            self._lines.clear()


def _packet_socket(protocol: int) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("eth0", protocol))
    sock.setblocking(False)
    return sock


def _echo_request(ident: int, sequence: int) -> bytes:
    head = struct.pack("!BBHHH", 8, 0, 0, ident, sequence)
    total = sum(struct.unpack("!4H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:2] + struct.pack("!H", ~total & 0xFFFF) + head[4:]


def main() -> None:
    """Run a probe; `haagent lab` starts it in the client's namespace."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--vip", default=VIP)
    parser.add_argument("--sip-every", type=int, default=5, help="milliseconds between two OPTIONS")
    arguments = parser.parse_args()
    with suppress(PermissionError):  # a user namespace gives no real-time class
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    Probe(arguments.vip, arguments.sip_every).run()


if __name__ == "__main__":
    main()
