"""Sans-IO: one node: joins virtual routers, peer, SIP core, links, lease and operator into role and epoch.

Every input takes `now` (monotonic seconds) and returns the effects in the order in which to carry them out;
`deadline` is when to call `on_timer` next. All virtual routers of a node move together. A shell reads its
sockets before it calls `on_timer`, so that a timer never wins against news that has already come.
"""

from collections.abc import Iterable

from haagent.control.commands import Command, PauseTakeovers, ResumeTakeovers, Switchover
from haagent.effects import Alarm, CommandAnswered, Effect, NodeRole, Note, TakeVip
from haagent.election import NodeElection
from haagent.health import weights
from haagent.health.weights import Finding
from haagent.peer.messages import Health, Hello, Lost, Message, Take, Taken, Yield
from haagent.peer.session import PeerSession
from haagent.settings import NodeSettings
from haagent.steps import AfterHandover, CoreState
from haagent.vrrp.router import VirtualRouter

__all__ = ["CoreState", "Node"]

STALL_INTERVALS = 3  # without a lease: a master this many intervals late may have been replaced


class Node(NodeElection):
    """The one decision of a machine."""

    @property
    def role(self) -> NodeRole:
        """MASTER, BACKUP, FAULT or (before the start and after the stop) INIT."""
        return self._own.role

    @property
    def epoch(self) -> int:
        """The highest epoch that this node has taken or followed."""
        return self._own.epoch

    @property
    def reason(self) -> str:
        """Why the node has its role."""
        return self._own.reason

    @property
    def since(self) -> float | None:
        """When the role began."""
        return self._own.since

    @property
    def peer(self) -> PeerSession | None:
        """What is known of the peer."""
        return self._peer

    @property
    def routers(self) -> dict[str, VirtualRouter]:
        """The virtual routers by name, for the status."""
        return self._own.routers

    @property
    def stall_limit(self) -> float:
        """Call `on_stall` when the loop was later than this."""
        leases = [router.lease for router in self.settings.routers if router.lease is not None]
        return min(leases, default=STALL_INTERVALS * self._own.interval)

    @property
    def deadline(self) -> float | None:
        """When to call `on_timer` next."""
        times = self._own.deadlines
        times += [r.deadline for r in self._own.routers.values() if r.deadline is not None]
        if self._peer is not None:
            times += self._peer.deadlines
        if self._join_at is not None:
            times.append(self._join_at)
        if self._handover is not None:
            times.append(self._handover.let_go or self._handover.limit)
        if self.pause.deadline is not None:
            times.append(self.pause.deadline)
        times += self._consent_deadlines
        return None if self._stopped else min(times, default=None)

    # The node itself

    def on_startup(self, now: float) -> list[Effect]:
        """Begin; links and core should have been told before (a link not told of counts as up)."""
        if self.settings.startup_delay:
            self._join_at = now + self.settings.startup_delay
            return self._own.wait(now, f"joins the election in {self.settings.startup_delay:g} s")
        return self._own.start(now, self._fault())

    def on_shutdown(self, now: float) -> list[Effect]:
        """Planned stop: hand over if a ready peer is there, else priority 0; ends with the effect Stopped."""
        if self._stopped:
            return []
        if self._own.owns_vip and self._peer_can_take(now):
            return self._hand_over(AfterHandover.STOPPED, "shutdown", Take(self.epoch), now)
        return self._stop(now, "shutdown")

    def on_stall(self, gap: float, now: float) -> list[Effect]:
        """The loop was `gap` seconds late: call it when gap exceeds `stall_limit`, before reading sockets."""
        effects = self._re_elect(f"the agent stood still for {gap * 1000:.0f} ms", now)
        if self._peer is not None:
            self._peer.on_stall(now)
        for router in self._own.routers.values():
            router.postpone(now + router.master_down_interval)  # what we did not hear proves nothing
        return effects

    def on_lease_lapsed(self, router: str, now: float) -> list[Effect]:
        """The kernel's lease ran out before it was renewed."""
        return self._re_elect(f"the lease of {router} has lapsed", now)

    def on_vip_lost(self, router: str, now: float) -> list[Effect]:
        """Someone else removed one of our addresses: put it back at once."""
        if not self._own.owns_vip:
            return []
        alarm = Alarm(f"an address of {router} was removed by someone else and is put back")
        return [TakeVip(router), *self._own.announce(now), alarm]

    def on_timer(self, now: float) -> list[Effect]:
        """Do what is due."""
        if self._stopped:
            return []
        effects = self._own.on_timer(now)
        if self.pause.deadline is not None and now >= self.pause.deadline:
            self.pause.end()
            effects.append(Note("the pause is over: its time has gone"))
        if self._join_at is not None and now >= self._join_at:
            self._join_at = None
            effects += [*self._own.start(now, self._fault()), *self._beat(now)]
        if self._handover is not None:
            effects += self._handover_due(self._handover, now)
        if self._peer is not None:
            last = self._peer.hello_heard
            if self._peer.hellos_missed(now) and max(self._heard.values(), default=0.0) < (last or now):
                effects += self._hellos_missed(now)
            effects += self._peer.on_timer(now, self._health())
        effects += self._consent_due(now)
        return effects + self._run_routers(now)

    # Links, SIP core, health checks, operator

    def on_link(self, interface: str, up: bool, now: float) -> list[Effect]:
        """An interface has lost or found its carrier."""
        if interface not in self._links:
            return []
        self._links[interface] = up
        return self._reconsider(now)

    def on_core(self, state: CoreState, now: float, *, epoch: int = 0) -> list[Effect]:
        """The SIP core's state has changed; `epoch`: the greatest that it has heard of.

        A core outlives its agent's memory and refuses every epoch below its own: the next one is above.
        """
        if not self._own.owns_vip:
            self._own.epoch = max(self._own.epoch, epoch)
        if not self.settings.has_core or state is self._core:
            return []
        self._core = state
        return self._reconsider(now) or self._beat(now)

    def on_findings(self, findings: Iterable[Finding], now: float) -> list[Effect]:
        """What all health checks say now."""
        old, self._findings = self._findings, tuple(findings)
        self._forced = self._forced and old == self._findings
        effects = self._own.weigh(self._findings, now)
        effects += self._reconsider(now) or self._beat(now)
        return effects + self._prefer_healthier(now)

    def on_settings(self, settings: NodeSettings, findings: Iterable[Finding], now: float) -> list[Effect]:
        """A reload: other priorities, preemption and announcements; the routers and the peer are the same.

        It changes no role by itself, so it may come at any time, in the middle of an election as well.
        """
        self.settings = settings
        self._own.renew(settings, now)
        return self.on_findings(findings, now)

    def on_command(self, command: Command, now: float) -> list[Effect]:
        """An operator's command; exactly one CommandAnswered is among the effects."""
        if isinstance(command, PauseTakeovers):
            self.pause.begin(command.by, command.seconds, now)
            refusal = None
        elif isinstance(command, ResumeTakeovers):
            refusal = None if self.pause.active else "this node is not paused"
            self.pause.end()
        elif isinstance(command, Switchover):
            refusal = self._refuse_switchover(now)
            if refusal is None:
                reason = f"switchover by {command.by}"
                asked = self._hand_over(AfterHandover.BACKUP, reason, Take(self.epoch), now)
                return [CommandAnswered(None), *asked]
        else:
            refusal = self._refuse_failover(command, now)
            if refusal is None:
                taken = self._take(f"failover by {command.by}", now)
                self._forced = command.force
                return [CommandAnswered(None), *taken]
        return [CommandAnswered(refusal)]

    # Peer channel

    def on_peer_connected(self, nonce: bytes, now: float) -> list[Effect]:
        """The TCP connection stands; `nonce`: 32 fresh random bytes."""
        return self._peer.on_connected(nonce, now) if self._peer is not None else []

    def on_peer_bytes(self, data: bytes, now: float) -> list[Effect]:
        """Bytes of the TCP connection."""
        if self._peer is None:
            return []
        was = self._peer.known
        effects, messages = self._peer.on_bytes(data, now, self._hello())
        for message in messages:
            effects += self._on_message(message, was, now)
        return effects

    def on_peer_closed(self, now: float, *, by_peer: bool) -> list[Effect]:
        """The connection is gone; by_peer: end of stream or reset, so the other process has ended."""
        if self._peer is None:
            return []
        died = self._peer.on_closed()
        effects = self._peer_died("the peer's agent died", now) if died and by_peer else []
        if self._handover is not None and self._handover.let_go is None:
            effects += self._handover_failed(now)
        return effects

    def on_hello(self, datagram: bytes, now: float) -> list[Effect]:
        """A datagram on the hello port."""
        if self._peer is not None:
            self._peer.on_hello(datagram, now)
        return []

    def _on_message(self, message: Message, was: Hello | None, now: float) -> list[Effect]:
        if isinstance(message, Hello | Health):
            return self._on_health(message, was, now)
        if isinstance(message, Taken):
            is_newer = self._own.owns_vip and message.epoch > self.epoch
            return self._peer_has_taken(message.epoch, now) if is_newer else []
        if not isinstance(message, Take | Lost | Yield):
            return []
        return self._on_asked(message, now)

    def _on_asked(self, message: Take | Lost | Yield, now: float) -> list[Effect]:
        """The peer wants this node to be the master."""
        if self._own.owns_vip:
            return self._own.announce_again(now) if isinstance(message, Yield) else []
        if self.role is not NodeRole.BACKUP or self._fault() is not None:
            return self._beat(now)
        if self.pause.active and not _is_asked_for(message):
            return [Alarm(f"{_why(message)}, but no takeover: {self.pause}"), *self._beat(now)]
        return self._take(_why(message), now)

    def _on_health(self, said: Hello | Health, was: Hello | None, now: float) -> list[Effect]:
        """Epochs: a master's is the greatest; of two masters the one with the lesser epoch is the loser."""
        if not self._own.owns_vip:
            self._own.epoch = max(self._own.epoch, said.epoch)
            restarted = isinstance(said, Hello) and said.role is not NodeRole.MASTER
            is_heir = restarted and was is not None and was.role is NodeRole.MASTER
            if is_heir and self.role is NodeRole.BACKUP and not self.pause.active:
                return self._take("the peer's agent was started anew", now)
            return []
        if said.role is NodeRole.MASTER:
            return self._on_second_master(said, now)
        if said.epoch > self.epoch:
            raised = self._own.raise_epoch(said.epoch, "the peer knew a greater epoch", now)
            return [*raised, *self._beat(now)]
        return self._prefer_healthier(now)

    def _on_second_master(self, said: Hello | Health, now: float) -> list[Effect]:
        if self._handover is not None:
            return self._peer_has_taken(said.epoch, now) if said.epoch > self.epoch else []
        address = max(self._peer.known.sources, default=0) if self._peer and self._peer.known else 0
        mine = max(router.address for router in self._own.routers.values())
        theirs = (said.epoch, said.priority, address)
        if theirs > (self.epoch, self._health().priority, mine):
            self._own.epoch = max(self.epoch, said.epoch)
            return self._yield("the peer is master with a greater claim", now)
        return [*self._own.group.contest(now), *self._own.announce_again(now)]

    def _hellos_missed(self, now: float) -> list[Effect]:
        """Silence may be our own doing; the end of the stream, which only a living path can bring, is not."""
        reason = "three hellos of the peer are missing"
        isolated = weights.isolation(self._findings)
        if isolated is not None:
            return [Note(f"{reason}, but no takeover: this node is cut off, {isolated}")]
        return self._peer_died(reason, now, certain=self.settings.witness is None)

    def _peer_died(self, reason: str, now: float, *, certain: bool = True) -> list[Effect]:
        """The tripwire: take over at once if it was the master, and we can serve; if in doubt, ask first."""
        known = self._peer.known if self._peer is not None else None
        if known is None or known.role is not NodeRole.MASTER:
            return []
        if self.role is not NodeRole.BACKUP:
            return [Note(reason)]
        if self.pause.active:
            return [Alarm(f"{reason}, but no takeover: {self.pause}")]
        return self._take(reason, now) if certain else self._seek_consent(reason, now, by_hello=True)


def _is_asked_for(message: Take | Lost | Yield) -> bool:
    """A switchover or a planned stop; a master that prefers a healthier peer gives a reason."""
    return isinstance(message, Take) and not message.reason


def _why(message: Take | Lost | Yield) -> str:
    """The reason of a takeover that the peer has asked for."""
    if isinstance(message, Lost):
        return f"the peer can no longer serve: {message.reason}"
    if isinstance(message, Yield):
        return "the peer has stepped back"
    return f"the peer hands over: {message.reason}" if message.reason else "the peer hands over"
