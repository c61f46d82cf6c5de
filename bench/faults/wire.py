"""IO shell: what a network does to packets: drop, lose, delay; and what a stranger sends."""

import heapq
import itertools
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Sequence
from ipaddress import IPv4Address

from bench.sniff import ETH_P_ALL, only_vrrp
from haagent.lab.namespaces import Host
from haagent.lab.topology import VIP, Lan, Wire, address
from haagent.vrrp import pdu
from netrules.nftables import Nftables

TABLE = "bridge lab_faults"
VRRP = "ip protocol 112"


class Filter:
    """Drops frames in the switch, by direction and kind."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan

    def drop(self, *, origin: str, target: str, match: str = "", wire: Wire = "lan") -> None:
        """From one host to another; `match` in nft's words, everything without."""
        ports = f'iifname "{origin}-{wire}" oifname "{target}-{wire}"'
        self._run(
            f"add table {TABLE}; add chain {TABLE} forward {{ type filter hook forward priority 0; }};"
            f"add rule {TABLE} forward {ports} {match} drop"
        )

    def drop_between(self, match: str = "", wire: Wire = "lan") -> None:
        """Both ways between the nodes; the client reaches both."""
        self.drop(origin="a", target="b", match=match, wire=wire)
        self.drop(origin="b", target="a", match=match, wire=wire)

    def clear(self) -> None:
        """Let everything through."""
        self._run(f"add table {TABLE}; delete table {TABLE}")

    def _run(self, words: str) -> None:
        with self._lan.hosts["switch"].entered():
            tables = Nftables()
            try:
                tables.run(words.encode())
            finally:
                tables.close()


class SlowVrrp:
    """Holds advertisements back, each for its own time, so that they also come out of order.

    The kernel here has no netem: the switch drops them, and this thread sends what it saw later.
    """

    def __init__(self, lan: Lan, filters: Filter, *, delay: float, jitter: float) -> None:
        self._delay, self._jitter = delay, jitter
        self._rng = random.Random(0)  # noqa: S311 - the same weather every time
        filters.drop_between(VRRP)
        self._sockets = {node: _port(lan, node) for node in ("a", "b")}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="slow wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what is still on the way is lost."""
        self._done.set()
        self._thread.join(2)
        for port in self._sockets.values():
            port.close()

    def _carry(self) -> None:
        count = itertools.count()
        late: list[tuple[float, int, socket.socket, bytes]] = []
        other = {self._sockets["a"]: self._sockets["b"], self._sockets["b"]: self._sockets["a"]}
        while not self._done.is_set():
            ready, _, _ = select.select(list(other), [], [], 0.002)
            now = time.monotonic()
            for port in ready:
                frame, origin = port.recvfrom(2048)
                if origin[2] != socket.PACKET_OUTGOING:
                    at = now + self._delay + self._rng.uniform(0, self._jitter)
                    heapq.heappush(late, (at, next(count), other[port], frame))
            while late and late[0][0] <= now:
                _, _, port, frame = heapq.heappop(late)
                port.send(frame)


class Forger:
    """A host that advertises our virtual router and has nothing to do with it."""

    def __init__(self, host: Host, *, priority: int, vips: Sequence[str] = (VIP,), interval: float) -> None:
        own = IPv4Address(address("client"))
        body = pdu.encode(version=3, vrid=51, interval=interval, addresses=[IPv4Address(vip) for vip in vips])
        pseudo = pdu.pseudo_header(own.packed, pdu.GROUP.packed, len(body))
        self._packet = pdu.Template("", b"", body, pseudo).packet(priority)
        self._interval = interval
        with host.entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, pdu.PROTOCOL)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, pdu.TTL)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own.packed)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._send, name="forger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Be silent."""
        self._done.set()
        self._thread.join(2)
        self._socket.close()

    def _send(self) -> None:
        while not self._done.wait(self._interval):
            self._socket.sendto(self._packet, (str(pdu.GROUP), 0))


class SipSent:
    """Counts the SIP packets that a node sends to the LAN."""

    def __init__(self, lan: Lan, node: str) -> None:
        with lan.hosts["switch"].entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((f"{node}-lan", ETH_P_ALL))
        self._socket.setblocking(False)

    def close(self) -> int:
        """How many there were: IPv4, UDP, from port 5060."""
        count = 0
        while True:
            try:
                frame, origin = self._socket.recvfrom(64)
            except BlockingIOError:
                self._socket.close()
                return count
            is_udp = len(frame) >= 38 and frame[12:14] == b"\x08\0" and frame[23] == socket.IPPROTO_UDP
            if origin[2] != socket.PACKET_OUTGOING and is_udp:
                count += struct.unpack_from("!H", frame, 34)[0] == 5060


def _port(lan: Lan, node: str) -> socket.socket:
    with lan.hosts["switch"].entered():
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    only_vrrp(port)
    port.bind((f"{node}-lan", ETH_P_ALL))
    return port
