"""IO shell: the real-time guard process: VRRP, the VIP, its lease and the peer channel in one select loop.

`python -m haagent.lean_guard FD` runs it; FD is a SEQPACKET socket on which control first sends a Setup. The
guard writes no log, reads no file and resolves no name; when control dies it goes on.
"""

import os
import select
import signal
import socket
import sys
import time
from ipaddress import ip_address
from typing import Any

from haagent import realtime
from haagent.actions import Actions
from haagent.control.commands import (
    Command,
    Failover,
    PauseTakeovers,
    ResumeTakeovers,
    Switchover,
)
from haagent.netlink import AddressEvent, EventSocket, LinkEvent
from haagent.node import CoreState, Node
from haagent.peer.link import PeerLink
from haagent.pipe import (
    MAX_PACKET,
    Core,
    Findings,
    Order,
    Repair,
    Setup,
    Shutdown,
    ToGuard,
    Witnessed,
    decode_to_guard,
)
from haagent.reporter import Reporter
from haagent.vrrp.packet import AdvertisementReader, Discard
from haagent.vrrp.socket import ReceivingSocket, open_vrrp


class Guard:
    """The sockets around one Node."""

    def __init__(self, setup: Setup, pipe: socket.socket, granted: realtime.Granted) -> None:
        self._node = Node(setup.settings, epoch=setup.epoch)
        self._setup = setup
        self._pipe: socket.socket | None = pipe
        self._peer: PeerLink | None = None
        if setup.peer is not None:
            where = setup.peer
            self._peer = PeerLink(where.local, where.address, where.port, connects=where.connects)
        self._reporter = Reporter(pipe, node=self._node, granted=granted, rtt=self._rtt)
        self._actions = Actions(setup, self._node, self._reporter, self._peer)
        self._listen(setup)
        self._kernel = EventSocket()
        self._usable: dict[str, bool] = {}
        self._core = -1
        self._wakeup = _wake_on_sigterm()

    def run(self) -> None:
        """Until a shutdown is complete."""
        now = time.monotonic()
        self._on_kernel(now)  # links and core as they are, before the node begins
        self._on_pipe(now)
        if self._setup.pause is not None:
            self._node.pause.begin(self._setup.pause.by, self._setup.pause.left, now)
            self._node.pause.heir = self._setup.heir
        self._actions.carry_out(self._node.on_findings(self._setup.findings, now), now)
        self._actions.carry_out(self._node.on_startup(now), now)
        clock = _boot_clock()
        while not self._actions.stopped:
            wait = max(0.0, self._due() - time.monotonic())
            ready = self._wait(wait)
            before, clock = clock, _boot_clock()
            now = time.monotonic()
            gap = clock - before - wait  # our own work, the scheduler, a freeze, a suspended machine
            self._reporter.late(gap)
            if gap > self._node.stall_limit:
                self._actions.carry_out(self._node.on_stall(gap, now), now)
            self._read(*ready, now)
            self._on_timer()
        self._reporter.stopped()

    def _wait(self, seconds: float) -> tuple[list[Any], list[Any]]:
        """Until something waits to be read or the deadline comes."""
        readers: list[Any] = [*self._vrrp, self._kernel, self._wakeup]
        writers: list[Any] = []
        if self._pipe is not None:
            readers.append(self._pipe)
        if self._core >= 0:
            readers.append(self._core)
        if self._peer is not None:
            readers += self._peer.readers()
            writers += self._peer.writers()
        readable, writable, _ = select.select(readers, writers, [], seconds)
        return readable, writable

    def _rtt(self) -> float | None:
        return self._peer.rtt_ms() if self._peer is not None else None

    def _due(self) -> float:
        peer = self._peer.deadline if self._peer is not None else None
        deadlines = [self._reporter.deadline, self._node.deadline, peer]
        return min(deadline for deadline in deadlines if deadline is not None)

    def _on_timer(self) -> None:
        now = time.monotonic()
        if self._peer is not None:
            self._peer.on_timer(now)
        deadline = self._node.deadline
        if deadline is not None and now >= deadline:
            self._actions.carry_out(self._node.on_timer(now), deadline)
        self._reporter.report_if_due(now)

    def _read(self, readable: list[Any], writable: list[Any], now: float) -> None:
        for ready in readable:
            if ready in self._vrrp:
                self._on_vrrp(ready, now)
            elif ready is self._kernel:
                self._on_kernel(now)
            elif ready is self._pipe:
                self._on_pipe(now)
            elif ready == self._core:
                self._forget_core()
                self._actions.carry_out(self._node.on_core(CoreState.DEAD, now), now)
            elif ready is self._wakeup:
                self._wakeup.recv(64)
                self._actions.carry_out(self._node.on_shutdown(now), now)
            elif self._peer is not None:
                self._actions.on_peer(self._peer.on_readable(ready), now)
        if self._peer is not None:
            for ready in writable:
                self._actions.on_peer(self._peer.on_writable(ready, now), now)

    def _on_vrrp(self, ready: ReceivingSocket, now: float) -> None:
        reader, names = self._vrrp[ready]
        for packet in ready.read():
            advert = reader.read(packet, time.time())
            if not isinstance(advert, Discard):
                self._reporter.heard(names[advert.vrid], advert, now)
                self._actions.carry_out(self._node.on_advertisement(names[advert.vrid], advert, now), now)

    def _on_kernel(self, now: float) -> None:
        links: dict[int, LinkEvent] = {}
        for event in self._kernel.read():
            if isinstance(event, AddressEvent):
                self._actions.on_address(event, now)
            else:
                links[event.index] = event
                self._on_link(event, now)
        for event in links.values():  # as they are now: we may have set one down and up again ourselves
            self._actions.on_link(event, now)

    def _on_link(self, event: LinkEvent, now: float) -> None:
        name = self._interfaces.get(event.index)
        if name is None or self._usable.get(name, True) is event.usable:
            return
        self._usable[name] = event.usable
        self._actions.carry_out(self._node.on_link(name, event.usable, now), now)

    def _on_pipe(self, now: float) -> None:
        assert self._pipe is not None
        try:
            packet = self._pipe.recv(MAX_PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if packet:
            self._on_control(decode_to_guard(packet), now)
        else:  # control has died: go on without
            self._pipe = None
            self._reporter.close()

    def _on_control(self, message: ToGuard, now: float) -> None:
        if isinstance(message, Core):
            state = self._follow_core(message)
            self._actions.carry_out(self._node.on_core(state, now, epoch=message.epoch), now)
        elif isinstance(message, Findings):
            self._actions.carry_out(self._node.on_findings(message.findings, now), now)
        elif isinstance(message, Order):
            self._actions.carry_out(self._node.on_command(_command(message), now), now)
            self._reporter.deadline = 0.0  # an operator looks now
        elif isinstance(message, Setup):
            self._renew(message, now)
        elif isinstance(message, Witnessed):
            self._actions.carry_out(self._node.on_witness(message.said, now), now)
        elif isinstance(message, Repair):
            self._actions.on_repair(done=message.done)
        elif isinstance(message, Shutdown):
            self._actions.carry_out(self._node.on_shutdown(now), now)

    def _renew(self, setup: Setup, now: float) -> None:
        """A reload: what control has let through can be changed without a takeover."""
        refusal = self._actions.renew(setup)
        if refusal is None:
            vrids = {router.name: router.vrid for router in setup.settings.routers}
            for reader, names in self._vrrp.values():
                own = set(names.values())
                reader.renew({vrids[r.name]: r.terms for r in setup.routers if r.name in own})
            self._actions.carry_out(self._node.on_settings(setup.settings, setup.findings, now), now)
        self._reporter.answer(refusal)
        self._reporter.deadline = 0.0

    def _follow_core(self, core: Core) -> CoreState:
        """Watch the process itself, so that its death is seen without control."""
        self._forget_core()
        if core.pid == 0 and not core.ready:
            return CoreState.DEAD
        try:
            self._core = os.pidfd_open(core.pid) if core.pid else -1
        except OSError:
            return CoreState.DEAD
        if not core.ready:
            return CoreState.STARTING
        return CoreState.SYNCED if core.synced else CoreState.READY

    def _forget_core(self) -> None:
        if self._core >= 0:
            os.close(self._core)
            self._core = -1

    def _listen(self, setup: Setup) -> None:
        """One VRRP socket for each interface and source address (so also for each family)."""
        self._interfaces = {router.index: router.interface for router in setup.routers}
        self._vrrp: dict[ReceivingSocket, tuple[AdvertisementReader, dict[int, str]]] = {}
        vrids = {router.name: router.vrid for router in setup.settings.routers}
        for index, source in dict.fromkeys((router.index, router.source) for router in setup.routers):
            here = [router for router in setup.routers if (router.index, router.source) == (index, source)]
            terms = {vrids[router.name]: router.terms for router in here}
            own = ip_address(source)
            reader = AdvertisementReader(terms, own.packed)
            listening = open_vrrp(own.version, here[0].interface, index)
            self._vrrp[listening] = reader, {vrids[router.name]: router.name for router in here}
            for router in here:
                self._reporter.watch(router.name, self._actions.vips[router.name], reader)


def main() -> None:
    """Take the Setup from the inherited socket and run."""
    pipe = socket.socket(fileno=int(sys.argv[1]))
    setup = decode_to_guard(pipe.recv(MAX_PACKET))
    assert isinstance(setup, Setup)
    pipe.setblocking(False)
    guard = Guard(setup, pipe, realtime.enter())
    guard.run()


def _command(order: Order) -> Command:
    if order.name == "switchover":
        return Switchover(by=order.by)
    if order.name == "pause":
        return PauseTakeovers(seconds=order.seconds, by=order.by)
    if order.name == "resume":
        return ResumeTakeovers(by=order.by)
    return Failover(force=order.force, by=order.by)


def _boot_clock() -> float:
    """Monotonic seconds that also count while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _wake_on_sigterm() -> socket.socket:
    """SIGTERM makes a socket readable; Ctrl-C on the terminal is for control."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    signal.set_wakeup_fd(os.dup(writer.fileno()))
    return reader
