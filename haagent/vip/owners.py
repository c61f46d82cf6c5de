"""IO shell: a master looks whether another one still answers for its addresses.

After each announcement (so after a takeover, and when a partition has healed) it asks the link; any answer is
from somebody else, for one's own kernel does not answer one's own question. Two owners are an alarm, and are
asked about again until there is one.
"""

import asyncio
import ctypes
import socket
import struct
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

import structlog

from haagent.pipe import Report, RouterSetup
from haagent.telemetry.events import Event
from haagent.vip.neighbours import ETH_P_ARP, ETH_P_IPV6, answered, probe

log = structlog.get_logger()

CALM_SECONDS = 0.3  # the old master keeps the addresses for a moment, and announcements are repeated
LISTEN_SECONDS = 0.3
ASK_AGAIN_SECONDS = 2.0
QUESTIONS = 2  # one may be lost
_SO_ATTACH_FILTER = 26
_PACKET_OUTGOING = 4
_ADVERTISEMENTS = (  # classic BPF: IPv6, ICMPv6, neighbour advertisement
    *((0x30, 0, 0, 20), (0x15, 0, 3, 58)),
    *((0x30, 0, 0, 54), (0x15, 0, 1, 136)),
    *((0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0)),
)


@dataclass(slots=True)
class OwnerWatch:
    """`others`: by address, the MACs that answered for it when it was looked last."""

    routers: Sequence[RouterSetup]
    others: dict[str, list[str]] = field(default_factory=dict)
    _announced: int = 0
    _is_master: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def on_report(self, report: Report) -> None:
        """The guard's state: look when it has announced something."""
        announced = sum(router.counters.get("announcements", 0) for router in report.routers)
        was, self._is_master = self._is_master, report.role == "MASTER"
        if self._is_master and (announced != self._announced or not was):
            self._wake.set()
        elif not self._is_master:
            self.others = {}
        self._announced = announced

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN_SECONDS if self.others else None):
                    await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(CALM_SECONDS)
            if self._is_master:
                await self._look()

    async def _look(self) -> None:
        found: dict[str, list[str]] = {}
        for router in self.routers:
            try:
                found |= await _answers(router)
            except OSError:  # the interface is down: the guard knows
                continue
        if not self._is_master:
            return
        for address in found.keys() - self.others.keys():
            log.warning(Event.TWO_OWNERS, address=address, others=found[address])
        for address in self.others.keys() - found.keys():
            log.info(Event.ONE_OWNER, address=address)
        self.others = found


async def _answers(router: RouterSetup) -> dict[str, list[str]]:
    """Who else answers for the addresses of this router."""
    addresses = [ip_address(one.address) for one in router.addresses]
    found: dict[str, set[str]] = {}
    for version, protocol in ((4, ETH_P_ARP), (6, ETH_P_IPV6)):
        mine = [address for address in addresses if address.version == version]
        if not mine:
            continue
        with _listening(router.interface, protocol) as sock:
            mac: bytes = sock.getsockname()[4]
            ours = {mac, bytes.fromhex(router.macvlan.mac.replace(":", "")) if router.macvlan else mac}
            for _ in range(QUESTIONS):
                for address in mine:
                    sock.send(probe(mac, address))
                async for asked, other in _heard(sock, {str(address) for address in mine}):
                    if other not in ours:
                        found.setdefault(asked, set()).add(other.hex(":"))
    return {address: sorted(macs) for address, macs in found.items()}


async def _heard(sock: socket.socket, asked: Container[str]) -> AsyncIterator[tuple[str, bytes]]:
    """Address and MAC of each answer, for a while."""
    loop = asyncio.get_running_loop()
    end = loop.time() + LISTEN_SECONDS
    with suppress(TimeoutError):
        while loop.time() < end:
            async with asyncio.timeout_at(end):
                frame, source = await loop.sock_recvfrom(sock, 2048)
            address = answered(frame)
            if address is not None and address in asked and source[2] != _PACKET_OUTGOING:
                yield address, frame[6:12]


def _listening(interface: str, protocol: int) -> socket.socket:
    """Hears ARP, or neighbour advertisements alone."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    if protocol == ETH_P_IPV6:
        steps = b"".join(struct.pack("=HBBI", *step) for step in _ADVERTISEMENTS)
        held = ctypes.create_string_buffer(steps)
        program = struct.pack("HL", len(_ADVERTISEMENTS), ctypes.addressof(held))  # struct sock_fprog
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    sock.bind((interface, protocol))
    return sock
