"""Two whole nodes in virtual time: their hosts' kernels, the LAN between them, and the second path.

No sockets, no sleeps, no threads. `lost` decides what the LAN drops, `cut` separates on one path or both.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

from haagent.effects import (
    Alarm,
    ClosePeer,
    CommandAnswered,
    Effect,
    NodeRole,
    RefreshLease,
    ReleaseVip,
    RoleChanged,
    SendAdvertisement,
    SendHello,
    SendPeer,
    Stopped,
    TakeVip,
)
from haagent.node import CoreState, Node
from haagent.settings import NodeSettings, PeerSettings, RouterSettings
from haagent.vrrp.router import Advertisement

KEY = b"a key of the tests, 32 bytes long"
LATENCY = 0.0002
RECONNECT = 0.1


@dataclass
class FakeKernel:
    """What a host's kernel holds: addresses, and leases that lapse by themselves."""

    leases: dict[str, float | None]  # configured lease of each router
    addresses: set[str] = field(default_factory=set)
    until: dict[str, float] = field(default_factory=dict)

    def take(self, router: str, now: float) -> None:
        """The VIP plan for the master."""
        self.addresses.add(router)
        lease = self.leases[router]
        self.until[router] = float("inf") if lease is None else now + lease

    def release(self, router: str) -> None:
        """The VIP plan for the backup."""
        self.addresses.discard(router)
        self.until.pop(router, None)

    def refresh(self, router: str, now: float) -> bool:
        """Renew all leases in one transaction, unless that of this router has lapsed."""
        if self.until.get(router, 0.0) <= now:
            return False
        for held in self.until:
            self.take(held, now)
        return True

    def owns(self, router: str, now: float) -> bool:
        """Whether the host answers for the VIP."""
        return router in self.addresses and self.until.get(router, 0.0) > now


class Host:
    """A machine: one node and its kernel; the process or the whole machine may die or freeze."""

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.name = settings.node
        self.node = Node(settings)
        self.kernel = FakeKernel({router.name: router.lease for router in settings.routers})
        self.log: list[tuple[float, RoleChanged]] = []
        self.alarms: list[str] = []
        self.answers: list[str | None] = []
        self.effects: list[tuple[float, Effect]] = []
        self.alive = True
        self.frozen = False
        self.stopped = False
        self.asleep_since = 0.0

    @property
    def runs(self) -> bool:
        """Whether the agent can act now."""
        return self.alive and not self.frozen and not self.stopped

    @property
    def address(self) -> int:
        """Its primary address on the LAN."""
        return self.settings.routers[0].address


@dataclass(order=True)
class _Packet:
    at: float
    order: int
    to: Host = field(compare=False)
    deliver: Callable[[Host], list[Effect]] = field(compare=False)


class Pair:
    """Two nodes, one LAN, one second path."""

    def __init__(self, a: NodeSettings, b: NodeSettings) -> None:
        self.a, self.b = Host(a), Host(b)
        self.hosts = (self.a, self.b)
        self.now = 10.0
        self.lost: Callable[[Host, Host], bool] = lambda src, dst: False
        self.lan_up = True
        self.path_up = True
        self.owners: list[tuple[float, tuple[str, ...]]] = []  # who answered for the first VIP, by time
        self._wire: list[_Packet] = []
        self._order = count()
        self._session = 0
        self._connect_at: float | None = None
        self._nonces = count(1)

    # What a test does

    def start(self, *hosts: Host) -> None:
        """Start the agents; the peer channel follows."""
        for host in hosts or self.hosts:
            self.carry_out(host, host.node.on_startup(self.now))
        self._connect_at = self.now

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while (at := self._next_event()) is not None and at <= end:
            self.now = max(self.now, at)
            self._step()
            self._look()
        self.now = end
        self._look()

    def other(self, host: Host) -> Host:
        """The peer."""
        return self.b if host is self.a else self.a

    def masters(self) -> list[str]:
        """Nodes that think they are master and run."""
        return [host.name for host in self.hosts if host.runs and host.node.role is NodeRole.MASTER]

    def owning(self) -> tuple[str, ...]:
        """Hosts whose kernels answer for the first VIP; a machine without power does not."""
        router = self.a.settings.routers[0].name
        return tuple(h.name for h in self.hosts if h.alive and h.kernel.owns(router, self.now))

    def power_cut(self, host: Host) -> None:
        """The machine is gone, without a word on any path."""
        host.alive = False
        self._session += 1
        self._look()

    def kill_agent(self, host: Host) -> None:
        """kill -9: the kernel closes the connection and keeps the addresses."""
        host.stopped = True
        self._drop_session(told=self.other(host) if self.path_up else None)

    def restart(self, host: Host) -> None:
        """Start the agent again (and the machine, if it had no power); the epoch is read from disk."""
        if not host.alive:
            host.kernel = FakeKernel({router.name: router.lease for router in host.settings.routers})
        host.node = Node(host.settings, epoch=host.node.epoch)
        host.alive, host.stopped, host.frozen = True, False, False
        self.carry_out(host, host.node.on_core(CoreState.SYNCED, self.now))
        self.start(host)

    def freeze(self, host: Host) -> None:
        """SIGSTOP."""
        host.frozen = True
        host.asleep_since = self.now

    def thaw(self, host: Host) -> None:
        """SIGCONT: the loop sees its gap first, then what waits in its sockets."""
        host.frozen = False
        gap = self.now - host.asleep_since
        if gap > host.node.stall_limit:
            self.carry_out(host, host.node.on_stall(gap, self.now))

    def cut(self, *, lan: bool = True, path: bool = True) -> None:
        """Separate the two."""
        self.lan_up = self.lan_up and not lan
        self.path_up = self.path_up and not path

    def heal(self) -> None:
        """Join them again; a new connection is made if the old one was given up."""
        self.lan_up = self.path_up = True

    def became(self, host: Host, role: NodeRole, since: float) -> float:
        """Seconds from `since` to the host's first change to this role."""
        return next(at for at, change in host.log if change.role is role and at >= since) - since

    def uncovered(self, since: float) -> float:
        """Seconds after `since` in which nobody answered for the VIP."""
        return sum(end - max(at, since) for at, end, owners in self._spans(since) if not owners)

    def doubled(self, since: float = 0.0) -> float:
        """The longest time after `since` in which two answered for the VIP."""
        return max(
            (end - max(at, since) for at, end, owners in self._spans(since) if len(owners) > 1), default=0
        )

    def _spans(self, since: float) -> Iterable[tuple[float, float, tuple[str, ...]]]:
        ends = [*(at for at, _ in self.owners[1:]), self.now]
        return [(at, end, o) for (at, o), end in zip(self.owners, ends, strict=True) if end > since]

    def command(self, host: Host, effects: list[Effect]) -> None:
        """Carry out what an input of the test's own has caused."""
        self.carry_out(host, effects)
        self._look()

    # Machinery

    def carry_out(self, host: Host, effects: Iterable[Effect]) -> None:
        """The shell of a host."""
        waiting = list(effects)
        while waiting:
            effect = waiting.pop(0)
            host.effects.append((self.now, effect))
            waiting += self._one(host, effect)

    def _one(self, host: Host, effect: Effect) -> list[Effect]:
        kernel = host.kernel
        if isinstance(effect, TakeVip):
            kernel.take(effect.router, self.now)
        elif isinstance(effect, ReleaseVip):
            kernel.release(effect.router)
        elif isinstance(effect, RefreshLease):
            if not kernel.refresh(effect.router, self.now):
                return host.node.on_lease_lapsed(effect.router, self.now)
        elif isinstance(effect, SendAdvertisement):
            self._advertise(host, effect)
        elif isinstance(effect, SendPeer):
            self._send(host, self._session, effect.data)
        elif isinstance(effect, SendHello):
            self._hello(host, effect.data)
        elif isinstance(effect, ClosePeer):
            self._drop_session(told=self.other(host) if self.path_up else None)
        else:
            self._record(host, effect)
        return []

    def _record(self, host: Host, effect: Effect) -> None:
        if isinstance(effect, RoleChanged):
            host.log.append((self.now, effect))
        elif isinstance(effect, Alarm):
            host.alarms.append(effect.text)
        elif isinstance(effect, CommandAnswered):
            host.answers.append(effect.refusal)
        elif isinstance(effect, Stopped):
            host.stopped = True

    def _advertise(self, host: Host, effect: SendAdvertisement) -> None:
        other = self.other(host)
        if not self.lan_up or self.lost(host, other):
            return
        router = next(r for r in host.settings.routers if r.name == effect.router)
        advert = Advertisement(router.vrid, effect.priority, router.interval, router.address)
        self._post(other, lambda to: to.node.on_advertisement(effect.router, advert, self.now))

    def _send(self, host: Host, session: int, data: bytes) -> None:
        """A byte stream waits while its path is cut, as TCP does."""

        def deliver(to: Host) -> list[Effect]:
            if session != self._session:
                return []
            if not self.path_up:
                self._post(to, deliver, after=0.05)
                return []
            return to.node.on_peer_bytes(data, self.now)

        self._post(self.other(host), deliver)

    def _hello(self, host: Host, datagram: bytes) -> None:
        if self.path_up:
            self._post(self.other(host), lambda to: to.node.on_hello(datagram, self.now))

    def _post(self, to: Host, deliver: Callable[[Host], list[Effect]], after: float = LATENCY) -> None:
        heapq.heappush(self._wire, _Packet(self.now + after, next(self._order), to, deliver))

    def _drop_session(self, told: Host | None) -> None:
        """The other side sees the end of the stream after what was sent before it."""
        self._session += 1
        self._connect_at = self.now + RECONNECT
        if told is not None:
            last = [p for p in self._wire if p.to is told]
            for packet in last:  # TCP delivers what was sent before the end
                self._wire.remove(packet)
            heapq.heapify(self._wire)
            self._session -= 1
            for packet in sorted(last):
                self.carry_out(told, packet.deliver(told) if told.runs else [])
            self._session += 1
            if told.runs:
                self.carry_out(told, told.node.on_peer_closed(self.now, by_peer=True))

    def _connect(self) -> None:
        self._connect_at = self.now + RECONNECT
        if not self.path_up or not all(host.runs for host in self.hosts):
            return
        self._connect_at = None
        self._session += 1
        for host in self.hosts:
            nonce = next(self._nonces).to_bytes(32, "big")
            self.carry_out(host, host.node.on_peer_connected(nonce, self.now))

    def _next_event(self) -> float | None:
        times = [h.node.deadline for h in self.hosts if h.runs and h.node.deadline is not None]
        times += [p.at for p in self._wire if not p.to.frozen]
        times += [self._connect_at] if self._connect_at is not None else []
        times += [at for h in self.hosts for at in h.kernel.until.values() if self.now < at < float("inf")]
        return min(times, default=None)

    def _step(self) -> None:
        """Sockets first, then timers."""
        if self._connect_at is not None and self._connect_at <= self.now:
            self._connect()
        due = sorted(p for p in self._wire if p.at <= self.now and not p.to.frozen)
        for packet in due:
            self._wire.remove(packet)
        heapq.heapify(self._wire)
        for packet in due:
            if packet.to.runs:
                self.carry_out(packet.to, packet.deliver(packet.to))
        for host in self.hosts:
            deadline = host.node.deadline
            if host.runs and deadline is not None and deadline <= self.now:
                self.carry_out(host, host.node.on_timer(self.now))

    def _look(self) -> None:
        owners = self.owning()
        if not self.owners or self.owners[-1][1] != owners:
            self.owners.append((self.now, owners))


def settings(
    name: str,
    *,
    priority: int = 100,
    interval: float = 1.0,
    lease: float | None = 0.09,
    has_core: bool = False,
    peer: bool = True,
    preempt: bool = False,
    two_paths: bool = True,
    hello: float | None = None,
    routers: int = 1,
) -> NodeSettings:
    """A node of the pair; b has the higher address."""
    host = {"a": 11, "b": 12}[name]
    virtual = tuple(
        RouterSettings(
            name=f"sip{index}",
            vrid=51 + index,
            interface=f"eth{index}",
            priority=priority,
            source=f"10.88.{index}.{host}",
            interval=interval,
            preempt=preempt,
            lease=lease,
        )
        for index in range(routers)
    )
    link = PeerSettings(KEY, two_paths=two_paths, hello=hello) if peer else None
    return NodeSettings(name, virtual, link, has_core=has_core)


def pair(*, priorities: tuple[int, int] = (254, 253), **options: object) -> Pair:
    """Two nodes with the same options."""
    a = settings("a", priority=priorities[0], **options)  # type: ignore[arg-type]  # options of settings()
    b = settings("b", priority=priorities[1], **options)  # type: ignore[arg-type]  # options of settings()
    return Pair(a, b)


def running(**options: object) -> Pair:
    """A pair that has elected a; cores (if any) in sync."""
    lan = pair(**options)  # type: ignore[arg-type]  # options of pair()
    for host in lan.hosts:
        lan.carry_out(host, host.node.on_core(CoreState.SYNCED, lan.now))
    lan.start()
    lan.run(4 * lan.a.settings.routers[0].interval + 0.2)
    assert lan.masters() == ["a"], [host.log for host in lan.hosts]
    return lan
