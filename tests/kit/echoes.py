"""IO shell: pings an address all the time and counts what was never answered."""

import os
import socket
import struct
import threading
import time
from typing import Self

from haagent.lab.namespaces import Host

INTERVAL = 0.001
PATIENCE = 2.0  # seconds that the last answers have; late is not lost
_ECHO = struct.Struct("!BBHHHQ")  # the number is in the data: 16 bits would wrap


class Echoes:
    """ICMP echo requests, one each millisecond, from a host of the laboratory."""

    def __init__(self, client: Host, address: str) -> None:
        with client.entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.settimeout(0.1)
        self._address = address
        self._ident = os.getpid() & 0xFFFF
        self._sent: set[int] = set()
        self._answered: set[int] = set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._ask, self._hear)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._threads[0].join()
        end = time.monotonic() + PATIENCE
        while self.lost and time.monotonic() < end:
            time.sleep(0.02)
        self._socket.close()

    @property
    def sent(self) -> int:
        """How many were sent."""
        return len(self._sent)

    @property
    def lost(self) -> int:
        """How many have no answer."""
        return len(self._sent - self._answered)

    def _ask(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            bare = _ECHO.pack(8, 0, 0, self._ident, number & 0xFFFF, number)
            packet = bare[:2] + struct.pack("!H", _checksum(bare)) + bare[4:]
            self._sent.add(number)
            self._socket.sendto(packet, (self._address, 0))
            time.sleep(INTERVAL)

    def _hear(self) -> None:
        while not self._stop.is_set() or self.lost:
            try:
                packet = self._socket.recv(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            kind, _, _, ident, _, number = _ECHO.unpack_from(packet, (packet[0] & 15) * 4)
            if kind == 0 and ident == self._ident:
                self._answered.add(number)


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
