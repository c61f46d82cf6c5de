"""IO shell: sees a node's VRRP advertisements, so that faults can strike at a chosen phase of them."""

import ctypes
import select
import socket
import struct
import time
from typing import Self

from haagent.lab.errors import LabError
from haagent.lab.topology import Lan

ETH_P_ALL = 3
SO_ATTACH_FILTER = 26
# Load the EtherType and the IP protocol; let only IPv4 (0x0800) with protocol 112 through.
FILTER = (
    (0x28, 0, 0, 12),
    (0x15, 0, 3, 0x0800),
    (0x30, 0, 0, 23),
    (0x15, 0, 1, 112),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)


class Adverts:
    """The advertisements that come in at a node's port of the switch."""

    def __init__(self, lan: Lan, node: str) -> None:
        with lan.hosts["switch"].entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        only_vrrp(self._socket)
        self._socket.bind((f"{node}-lan", ETH_P_ALL))
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def wait(self, timeout: float) -> float:
        """Wait for the next advertisement; when it was seen."""
        self._drain()
        end = time.monotonic() + timeout
        while True:
            ready, _, _ = select.select([self._socket], [], [], max(0.0, end - time.monotonic()))
            now = time.monotonic()
            if not ready:
                raise LabError(f"no VRRP advertisement within {timeout:g} s")
            if self._drain():
                return now

    def _drain(self) -> int:
        """Read what has come; how many came from the node (what goes to it is not counted)."""
        count = 0
        while True:
            try:
                _, origin = self._socket.recvfrom(256)
            except BlockingIOError:
                return count
            count += origin[2] != socket.PACKET_OUTGOING


def only_vrrp(sock: socket.socket) -> None:
    """Let a packet socket see advertisements over IPv4 alone."""
    code = b"".join(struct.pack("HBBI", *step) for step in FILTER)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(FILTER), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
