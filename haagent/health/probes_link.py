"""IO shell: probes of the network around this host: interfaces, routes, the gateway by ARP or ICMP echo."""

import asyncio
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from pyroute2 import AsyncIPRoute

from haagent.config.checks import GatewayCheck, InterfaceCheck, RouteCheck
from haagent.health.check import Result
from haagent.health.probes import PlainProbe, Probe
from haagent.netlink import EventSocket, LinkEvent
from haagent.vrrp.pdu import checksum

AGAIN_SECONDS = 0.03  # an ARP request or echo may be lost
ETH_P_ARP = 0x0806
SIOCGIFADDR, SIOCGIFHWADDR = 0x8915, 0x8927  # netdevice(7)
BROADCAST = b"\xff" * 6
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET = struct.Struct("!6s6sH")
DEFAULTS = {"default": "0.0.0.0/0", "default6": "::/0"}
_ECHO = struct.Struct("!BBHHH")
ARP_REQUEST, ARP_REPLY = 1, 2
ECHO = {4: (8, 0), 6: (128, 129)}  # request and reply, RFC 792 and RFC 4443


def open_probe(config: InterfaceCheck | RouteCheck | GatewayCheck) -> Probe:
    """The probe for this table."""
    if isinstance(config, InterfaceCheck):
        return InterfaceProbe(config)
    if isinstance(config, RouteCheck):
        return RouteProbe(config)
    return ArpProbe(config) if config.by == "arp" else EchoProbe(config)


class InterfaceProbe:
    """Knows every link from the kernel's messages; a change is seen when it happens."""

    def __init__(self, config: InterfaceCheck) -> None:
        self._interface = config.interface
        self._kernel = EventSocket()
        self._usable: dict[int, bool] = {}

    async def run(self) -> Result:
        """The state that the kernel has told."""
        self._read()
        try:
            index = socket.if_nametoindex(self._interface)
        except OSError:
            return Result(False, f"there is no interface {self._interface}")
        up = self._usable.get(index, False)
        return Result(up, f"{self._interface} is {'up' if up else 'down or has no carrier'}")

    def watch(self, hint: Callable[[], None]) -> None:
        """A message about any link."""

        def on_readable() -> None:
            before = dict(self._usable)
            self._read()
            if before != self._usable:
                hint()

        asyncio.get_running_loop().add_reader(self._kernel.fileno(), on_readable)

    def close(self) -> None:
        """Leave the kernel's group."""
        asyncio.get_running_loop().remove_reader(self._kernel.fileno())
        self._kernel.close()

    def _read(self) -> None:
        for event in self._kernel.read():
            if isinstance(event, LinkEvent):
                self._usable[event.index] = event.usable


class RouteProbe(PlainProbe):
    """Looks for the route in a dump of its table: what the kernel would choose may be another one."""

    def __init__(self, config: RouteCheck) -> None:
        self._config = config
        self._network = ipaddress.ip_network(DEFAULTS.get(config.destination, config.destination))

    async def run(self) -> Result:
        """One dump."""
        family = socket.AF_INET if self._network.version == 4 else socket.AF_INET6
        async with AsyncIPRoute() as route:
            dump = await route.route("dump", family=family, table=self._config.table)
            routes = [found async for found in dump]  # to its end: closing waits for the rest
        if any(map(self._is_wanted, routes)):
            return Result(True, f"the route to {self._config.destination} is there")
        return Result(False, f"there is no route to {self._config.destination}{self._through()}")

    def _is_wanted(self, found: Any) -> bool:
        config = self._config
        if found["dst_len"] != self._network.prefixlen or found.get_attr("RTA_TABLE") != config.table:
            return False
        if found["dst_len"] and found.get_attr("RTA_DST") != str(self._network.network_address):
            return False
        if config.via is not None and found.get_attr("RTA_GATEWAY") != str(config.via):
            return False
        return not config.interface or bool(found.get_attr("RTA_OIF") == _index(config.interface))

    def _through(self) -> str:
        via = f" via {self._config.via!s}" if self._config.via is not None else ""
        return via + (f" on {self._config.interface}" if self._config.interface else "")


class ArpProbe(PlainProbe):
    """Asks who has the gateway's address; the question is repeated until the check's time is over."""

    def __init__(self, config: GatewayCheck) -> None:
        self._config = config

    async def run(self) -> Result:
        """One question and its answer."""
        interface, gateway = self._config.interface, self._config.address.ip.packed
        try:
            mac, own = _hardware_address(interface), _primary_address(interface)
            asking = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        except OSError as error:
            return Result(False, f"{interface}: {error.strerror}")
        question = _ETHERNET.pack(BROADCAST, mac, ETH_P_ARP)
        question += _ARP.pack(1, 0x0800, 6, 4, ARP_REQUEST, mac, own, bytes(6), gateway)

        def is_answer(frame: bytes) -> bool:
            if len(frame) < _ETHERNET.size + _ARP.size:
                return False
            fields = _ARP.unpack_from(frame, _ETHERNET.size)
            return bool(fields[4] == ARP_REPLY and fields[6] == gateway)

        with asking:
            try:
                asking.bind((interface, ETH_P_ARP))
                await _ask(asking, question, is_answer)
            except OSError as error:
                return Result(False, f"{interface}: {error.strerror}")
        return Result(True, f"{self._config.address!s} answers ARP on {interface}")


class EchoProbe(PlainProbe):
    """ICMP echo, RFC 792 and RFC 4443; for IPv6 the neighbour discovery before it is the kernel's."""

    def __init__(self, config: GatewayCheck) -> None:
        self._config = config
        self._sequence = 0

    async def run(self) -> Result:
        """One echo and its reply."""
        address, interface = self._config.address.ip, self._config.interface
        self._sequence = (self._sequence + 1) & 0xFFFF
        request, reply = ECHO[address.version]
        echo = _echo(request, self._sequence, address.version)
        protocol = socket.IPPROTO_ICMP if address.version == 4 else socket.IPPROTO_ICMPV6
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6

        def is_answer(packet: bytes) -> bool:
            at = (packet[0] & 0x0F) * 4 if address.version == 4 and packet else 0
            return len(packet) > at + 8 and packet[at] == reply and packet[at + 4 : at + 8] == echo[4:8]

        try:
            with socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol) as asking:
                asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
                scope = _index(interface) if address.is_link_local else 0
                asking.connect((str(address), 0, 0, scope) if address.version == 6 else (str(address), 0))
                await _ask(asking, echo, is_answer)
        except OSError as error:
            return Result(False, f"{address} on {interface}: {error.strerror}")
        return Result(True, f"{address} answers ICMP echo on {interface}")


async def _ask(asking: socket.socket, question: bytes, is_answer: Callable[[bytes], bool]) -> None:
    """Send until the answer comes; the check's limit ends it."""
    loop = asyncio.get_running_loop()
    answered = asyncio.Event()

    def on_readable() -> None:
        try:
            if is_answer(asking.recv(2048)):
                answered.set()
        except OSError:
            return  # an ICMP error: the next question may be answered

    loop.add_reader(asking.fileno(), on_readable)
    try:
        while not answered.is_set():
            asking.send(question)
            try:
                async with asyncio.timeout(AGAIN_SECONDS):
                    await answered.wait()
            except TimeoutError:
                continue
    finally:
        loop.remove_reader(asking.fileno())


def _echo(kind: int, sequence: int, version: int) -> bytes:
    """The checksum of ICMPv6 is the kernel's work (RFC 3542 section 3.1)."""
    identifier = os.getpid() & 0xFFFF
    echo = _ECHO.pack(kind, 0, 0, identifier, sequence) + b"haagent"
    if version == 6:
        return echo
    return _ECHO.pack(kind, 0, checksum(echo), identifier, sequence) + b"haagent"


def _hardware_address(interface: str) -> bytes:
    return _ask_kernel(interface, SIOCGIFHWADDR)[18:24]


def _primary_address(interface: str) -> bytes:
    return _ask_kernel(interface, SIOCGIFADDR)[20:24]


def _ask_kernel(interface: str, what: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        return fcntl.ioctl(asking, what, struct.pack("256s", interface.encode()[:15]))


def _index(interface: str) -> int | None:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return None
