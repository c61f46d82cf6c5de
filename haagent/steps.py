"""Sans-IO: what a node does once its inputs have decided: take, hand over, let go, step back, fail, stop."""

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address

from haagent.control.commands import Failover
from haagent.effects import Alarm, Effect, NodeRole, Note, Stopped
from haagent.health import weights
from haagent.mastership import Mastership
from haagent.pause import Pause
from haagent.peer.messages import MAX_TEXT, Health, Hello, Lost, Message, Take, Taken, Yield
from haagent.peer.session import PeerSession
from haagent.settings import NodeSettings

HANDOVER_LIMIT = 0.2  # seconds that the peer has to take over when it is asked to
LINGER = 0.003  # seconds that the old master keeps the VIPs after the new one has announced itself
PREFERENCE_PAUSE = 5.0  # seconds until a healthier peer that did not take over is asked again
TAKE_GRACE = 0.05  # seconds during which advertisements that the old master had under way are not believed


class CoreState(IntEnum):
    """What the SIP core says of itself, from worst to best."""

    DEAD = 0
    STARTING = 1
    READY = 2  # could serve, but does not hold all of the master's records
    SYNCED = 3
    NONE = 4  # no core is configured


class AfterHandover(IntEnum):
    """What the old master becomes once the peer has taken over."""

    BACKUP = 0
    FAULT = 1
    STOPPED = 2
    LESS_HEALTHY = 3  # BACKUP; unlike after a switchover it may preempt once it is well again


@dataclass(slots=True)
class Handover:
    """Under way: the peer has been asked to take over."""

    then: AfterHandover
    reason: str
    limit: float
    let_go: float | None = None  # the peer has taken; the VIPs go at this time


class NodeSteps:
    """The state of a node and the moves between its roles."""

    def __init__(self, settings: NodeSettings, *, epoch: int = 0) -> None:
        """`epoch`: the highest that this node has known (from disk)."""
        self.settings = settings
        self._own = Mastership(settings, epoch=epoch)
        self._peer = PeerSession(settings.peer, self._own.interval) if settings.peer is not None else None
        self._core = CoreState.DEAD if settings.has_core else CoreState.NONE
        self._links = {name: True for router in settings.routers for name in router.links}
        self._heard = self._own.group.heard
        self.pause = Pause()
        self._join_at: float | None = None  # the end of startup_delay
        self._handover: Handover | None = None
        self._grace_until = 0.0
        self._silence_reported = False
        self._findings: tuple[weights.Finding, ...] = ()
        self._ask_again = 0.0
        self._forced = False  # an operator wants this node in spite of its checks, as they are now
        self._strangers: set[int] = set()
        self._rivals: set[int] = set()
        self._outlived: set[str] = set()  # routers whose silence has been reported
        self._stopped = False

    # What holds now

    def _fault(self) -> str | None:
        """Why this node can serve nobody, or None."""
        down = [interface for interface, up in self._links.items() if not up]
        if down:
            return f"link {', '.join(down)} is down"
        if self._core is CoreState.DEAD:
            return "the SIP core is not running"
        if self._core is CoreState.STARTING:
            return "the SIP core is not ready"
        return weights.fault(self._findings)

    def _health(self) -> Health:
        own = self._own
        letting_go = self._handover is not None and self._handover.let_go is not None
        role = NodeRole.BACKUP if letting_go else own.role  # the VIPs linger, but the claim is the peer's
        ready = self._fault() is None and role in (NodeRole.MASTER, NodeRole.BACKUP)
        priority = min(router.priority for router in own.routers.values())
        synced = ready and self._core >= CoreState.SYNCED
        return Health(role, own.epoch, priority, ready, synced, penalty=own.penalty(self._findings))

    def _hello(self) -> Hello:
        health = self._health()
        sources = [ip_address(router.source) for router in self.settings.routers]
        return Hello(
            node=self.settings.node,
            addresses=tuple({int(ip) for ip in sources if ip.version == 4}),
            role=health.role,
            epoch=health.epoch,
            priority=health.priority,
            ready=health.ready,
            synced=health.synced,
            penalty=health.penalty,
            addresses6=tuple({ip.packed for ip in sources if ip.version == 6}),
        )

    def _peer_can_take(self, now: float, *, synced: bool = False) -> bool:
        """Whether the peer says now that it stands by."""
        peer = self._peer
        if peer is None or peer.known is None or not peer.says(now, NodeRole.BACKUP):
            return False
        return peer.known.ready and (peer.known.synced or not synced)

    def _is_behind_a_living_peer(self, now: float) -> bool:
        """Whether the peer's core has records that ours has not got."""
        peer = self._peer
        if self._core >= CoreState.SYNCED or peer is None or peer.known is None:
            return False
        return peer.is_fresh(now) and peer.known.ready and peer.known.synced

    def _hears_master(self, now: float) -> bool:
        """Whether a master advertised within the time that the RFC gives it."""
        return self._own.group.hears_master(now)

    def _refuse_switchover(self, now: float) -> str | None:
        if not self._own.owns_vip:
            return f"this node is {self._own.role}; a switchover is asked of the master"
        if self._handover is not None:
            return f"already under way: {self._handover.reason}"
        if self._peer is None or not self._peer.is_fresh(now):
            return "the peer cannot be asked: the peer channel is not up"
        if not self._peer_can_take(now, synced=True):
            return f"the peer does not stand by in sync: {_state(self._peer.known)}"
        if self._peer.known is not None and _is_healthier(self._health(), self._peer.known):
            return "the peer is less healthy and would hand back at once (there: failover --force)"
        return None

    def _refuse_failover(self, command: Failover, now: float) -> str | None:
        fault = self._fault()
        if self._own.owns_vip:
            return "this node is the master"
        if self._own.role is not NodeRole.BACKUP or fault is not None:
            return f"this node is {self._own.role}: {fault or self._own.reason}"
        if command.force:
            return None
        if self._is_behind_a_living_peer(now):
            return "the SIP core here is not in sync with the master's (--force takes over all the same)"
        asked = self._peer is not None and self._peer.is_fresh(now)
        if self._hears_master(now) and not asked:
            return "a master is alive that cannot be asked to let go (--force takes over all the same)"
        return None

    def explain(self, now: float) -> list[str]:
        """Sentences for the operator: why this role, and what would change it."""
        lines = [f"{self._own.role}, epoch {self._own.epoch}: {self._own.reason}"]
        fault = self._fault()
        lines.append(f"cannot serve: {fault}" if fault else f"can serve; SIP core: {self._core.name.lower()}")
        lines += [self._arithmetic(name) for name in self._own.routers if self._findings]
        if (isolated := weights.isolation(self._findings)) is not None:
            lines.append(f"does not claim the VIPs by election: {isolated}")
        if self.pause.active:
            lines.append(f"takes over only when asked to: {self.pause}")
        if self._handover is not None:
            lines.append(f"handing over: {self._handover.reason}")
        if self._is_behind_a_living_peer(now):
            lines.append("takes over only by force: the peer's SIP core has records that this one lacks")
        for name, router in self._own.routers.items():
            heard = self._heard.get(name)
            ago = "never" if heard is None else f"{(now - heard) * 1000:.0f} ms ago"
            lines.append(f"{name}: {router.state.name}, priority {router.priority}, a master was heard {ago}")
        return lines

    def _arithmetic(self, router: str) -> str:
        """How the effective priority comes about."""
        base = self._own.settings[router].priority
        shares = weights.shares(base, router, self._findings)
        terms = "".join(f" {'-' if share < 0 else '+'} {abs(share)} (check {name})" for name, share in shares)
        return f"{router}: priority {base}{terms} = {self._own.routers[router].priority}"

    # Moves

    def _take(self, reason: str, now: float) -> list[Effect]:
        """Become master with an epoch above all that are known, and tell the peer."""
        self._handover = None
        self._silence_reported = self._forced = self.pause.heir = False
        self._ask_again = 0.0
        self._grace_until = now + min(TAKE_GRACE, self._own.interval)
        effects = self._own.take(now, reason)
        return [*effects, *self._say(Taken(self._own.epoch)), *self._beat(now)]

    def _hand_over(self, then: AfterHandover, reason: str, ask: Take | Lost, now: float) -> list[Effect]:
        """Ask the peer; the VIPs stay until it has them (make before break)."""
        self._handover = Handover(then, reason, now + HANDOVER_LIMIT)
        return self._say(ask)

    def _peer_has_taken(self, epoch: int, now: float) -> list[Effect]:
        """Stop advertising and let go in a moment, when the clients have seen the new master."""
        reason = "the peer has taken over"
        self._own.epoch = max(self._own.epoch, epoch)
        if self._handover is None:
            self._handover = Handover(AfterHandover.BACKUP, reason, now)
        if self._handover.let_go is None:
            self._handover.let_go = now + LINGER
            self._own.quiet(now, reason)
            if self._handover.then is AfterHandover.BACKUP:
                for router in self._own.routers.values():
                    router.preempt = False  # it was wanted: no preempting back
        return []

    def _handover_due(self, handover: Handover, now: float) -> list[Effect]:
        """Let go, or give up the wait for a peer that did not take over."""
        if handover.let_go is not None:
            if now < handover.let_go:
                return []
            self._handover = None
            if handover.then is AfterHandover.STOPPED:
                return self._stop(now, handover.reason)
            if handover.then is AfterHandover.FAULT:
                return [*self._fail(handover.reason, now), *self._reconsider(now)]  # it may be well again
            return [*self._own.step_back(now, handover.reason), *self._beat(now)]
        return self._handover_failed(now) if now >= handover.limit else []

    def _handover_failed(self, now: float) -> list[Effect]:
        handover, self._handover = self._handover, None
        if handover is None:
            return []
        alarm = Alarm(f"{handover.reason}: the peer did not take over")
        if handover.then is AfterHandover.STOPPED:
            return [alarm, *self._stop(now, handover.reason)]
        if handover.then is AfterHandover.FAULT and self._fault() is not None:
            return [alarm, *self._fail(handover.reason, now)]
        return [alarm]

    def _prefer_healthier(self, now: float) -> list[Effect]:
        """A peer with better checks, and so a higher priority, takes over first; then we let go.

        This holds without preemption too: it keeps a node that is back from disturbing one that is well.
        """
        known = self._peer.known if self._peer is not None else None
        if not self._own.owns_vip or self._handover is not None or self._forced or known is None:
            return []
        mine = self._health()
        if (
            now < self._ask_again
            or not _is_healthier(known, mine)
            or not self._peer_can_take(now, synced=True)
        ):
            return []
        self._ask_again = now + PREFERENCE_PAUSE
        told = f"{weights.failed(self._findings)} (priority {mine.priority} here, {known.priority} there)"
        take = Take(self._own.epoch, told[:MAX_TEXT])
        return self._hand_over(AfterHandover.LESS_HEALTHY, f"the peer is healthier: {told}", take, now)

    def _reconsider(self, now: float) -> list[Effect]:
        """A link, the SIP core or a check of weight 0 has changed."""
        role, fault = self._own.role, self._fault()
        if role is NodeRole.FAULT and fault is None:
            return [*self._own.join(now, f"fault over: {self._own.reason}"), *self._beat(now)]
        if fault is None or role not in (NodeRole.MASTER, NodeRole.BACKUP):
            return []
        lost = Lost(self._own.epoch, fault[:MAX_TEXT])
        if role is NodeRole.BACKUP or not all(self._links.values()):  # nothing to keep behind a dead link
            told = self._say(lost) if role is NodeRole.MASTER else []
            return [*told, *self._fail(fault, now)]
        if self._peer_can_take(now):
            return self._hand_over(AfterHandover.FAULT, fault, lost, now)
        return [*self._say(lost), *self._fail(fault, now)]

    def _fail(self, reason: str, now: float) -> list[Effect]:
        self._handover = None
        return [*self._own.leave(now, reason, NodeRole.FAULT), *self._beat(now)]

    def _yield(self, reason: str, now: float) -> list[Effect]:
        """The other master has won; it announces itself again when it hears this."""
        self._handover = None
        return [*self._own.step_back(now, reason), *self._say(Yield(self._own.epoch)), *self._beat(now)]

    def _re_elect(self, reason: str, now: float) -> list[Effect]:
        """We may have been replaced without noticing: give up the VIPs first, then find out.

        A connected peer takes over at the word. Else the election decides, unless nobody can have won one
        yet: a backup waits at least three intervals from our last advertisement on.
        """
        if not self._own.owns_vip:
            return []
        last = [r.deadline - r.interval for r in self._own.routers.values() if r.deadline is not None]
        first_takeover = min(last, default=now) + 3 * self._own.interval
        effects = self._yield(reason, now)
        known = self._peer.known if self._peer is not None and self._peer.connected else None
        if (known is None or not known.ready) and now < first_takeover:
            effects += [Note(f"{reason}; nobody can have taken over"), *self._take(reason, now)]
        return effects

    def _stop(self, now: float, reason: str) -> list[Effect]:
        self._stopped = True
        effects = self._own.leave(now, reason, NodeRole.INIT)
        if self._peer is not None:
            effects += [*self._beat(now), *self._peer.close(reason)]
        return [*effects, Stopped()]

    def _say(self, message: Message) -> list[Effect]:
        return self._peer.say(message) if self._peer is not None else []

    def _beat(self, now: float) -> list[Effect]:
        return self._peer.beat(self._health(), now) if self._peer is not None else []


def _is_healthier(one: Hello | Health, other: Hello | Health) -> bool:
    """A greater priority alone is no reason: it must come from checks."""
    return one.priority > other.priority and one.penalty < other.penalty


def _state(known: Hello | None) -> str:
    if known is None:
        return "unknown"
    ready = "ready" if known.ready else "not ready"
    return f"{known.role}, {ready}, {'in sync' if known.synced else 'not in sync'}"
