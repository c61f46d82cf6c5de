"""Sans-IO: holding the VIPs: virtual routers of a node, role, epoch, leases and announcements together."""

from collections.abc import Iterable, Sequence

from haagent.effects import (
    Announce,
    Effect,
    NodeRole,
    RefreshLease,
    ReleaseVip,
    RoleChanged,
    SendAdvertisement,
    TakeVip,
)
from haagent.health import weights
from haagent.health.weights import Finding
from haagent.settings import NodeSettings, RouterSettings
from haagent.vrrp.router import PRIORITY_OWNER, VirtualRouter
from haagent.vrrp.sync_group import SyncGroup

REFRESHES_PER_LEASE = 3


class Mastership:
    """Who we are; every change of role goes through one of `take`, `step_back` and `leave`."""

    def __init__(self, settings: NodeSettings, *, epoch: int) -> None:
        self.settings = {router.name: router for router in settings.routers}
        self.group = SyncGroup(
            VirtualRouter(
                name=router.name,
                vrid=router.vrid,
                priority=router.priority,
                address=router.address,
                interval=router.interval,
                version=router.version,
                preempt=_preempts(router),
                preempt_delay=router.preempt_delay,
                two_node=settings.peer is not None,
            )
            for router in settings.routers
        )
        self.routers = self.group.routers
        self._announcing = settings.announcing
        self.role = NodeRole.INIT
        self.epoch = epoch
        self.reason = "not started"
        self.since: float | None = None
        self._renewal: float | None = None  # when the leases are due: one transaction renews all of a node
        self._announcements: list[float] = []
        self._refresh_at: float | None = None  # the addresses are announced again

    @property
    def owns_vip(self) -> bool:
        """Whether the VIPs are here."""
        return self.role is NodeRole.MASTER

    @property
    def interval(self) -> float:
        """The shortest Advertisement_Interval."""
        return self.group.interval

    @property
    def _leased(self) -> tuple[float, str] | None:
        """The shortest lease, and the router that has it."""
        leases = [(router.lease, name) for name, router in self.settings.items() if router.lease is not None]
        return min(leases, default=None)

    @property
    def deadlines(self) -> list[float]:
        """When leases and announcements are due."""
        refresh = [] if self._refresh_at is None else [self._refresh_at]
        renewal = [] if self._renewal is None else [self._renewal]
        return [*renewal, *self._announcements[:1], *refresh]

    def start(self, now: float, fault: str | None) -> list[Effect]:
        """Join the election, or wait outside; what an agent before us has left behind is removed."""
        clean: list[Effect] = [ReleaseVip(name) for name in self.routers]
        if fault is not None:
            return [*clean, self._change(NodeRole.FAULT, fault, now)]
        return [*clean, *self.join(now, "startup")]

    def wait(self, now: float, reason: str) -> list[Effect]:
        """Stay outside at first; what an agent before us has left behind is removed."""
        clean: list[Effect] = [ReleaseVip(name) for name in self.routers]
        return [*clean, self._change(NodeRole.INIT, reason, now)]

    def join(self, now: float, reason: str) -> list[Effect]:
        """Section 6.4.1: become Backup, or Master as address owner."""
        sent = self.group.startup(now)
        if sent:
            return self.take(now, "address owner", sent=sent)
        return [self._change(NodeRole.BACKUP, reason, now)]

    def take(self, now: float, reason: str, *, sent: Iterable[SendAdvertisement] = ()) -> list[Effect]:
        """Become master with a new epoch; `sent`: what a router has asked for already."""
        advertisements = list(sent)
        for name, router in self.routers.items():
            router.preempt = _preempts(self.settings[name])
        advertisements += self.group.take(now, reason)
        self.epoch += 1
        change = self._change(NodeRole.MASTER, reason, now)
        self._renewal = None if self._leased is None else now + self._leased[0] / REFRESHES_PER_LEASE
        vips = [TakeVip(name) for name in self.routers]
        return [*vips, *advertisements, *self.announce(now), change]

    def raise_epoch(self, at_least: int, reason: str, now: float) -> list[Effect]:
        """As master, go above an epoch that someone else has used."""
        self.epoch = at_least + 1
        return [self._change(NodeRole.MASTER, reason, now)]

    def renew(self, settings: NodeSettings, now: float) -> None:
        """Other settings for the same routers; `weigh` then gives them their priorities.

        Who does not preempt since a switchover is left so, unless it is preemption that has changed.
        """
        for setting in settings.routers:
            router = self.routers[setting.name]
            if _preempts(setting) is not _preempts(self.settings[setting.name]):
                router.preempt = _preempts(setting)
            router.preempt_delay = setting.preempt_delay
            self.settings[setting.name] = setting
        self._announcing = settings.announcing
        refresh = self._announcing.refresh
        self._refresh_at = now + refresh if refresh and self.owns_vip else None

    def weigh(self, findings: Sequence[Finding], now: float) -> list[Effect]:
        """Give each router its effective priority; a Master says a new one at once."""
        sent: list[Effect] = []
        for name, router in self.routers.items():
            wanted = weights.effective_priority(self.settings[name].priority, name, findings)
            if wanted != router.priority:
                sent += _only_sent(router.on_priority(wanted, now))
        return sent

    def penalty(self, findings: Sequence[Finding]) -> int:
        """How much priority the checks cost, in the router that they cost most."""
        routers = self.settings.items()
        return max(weights.penalty(router.priority, name, findings) for name, router in routers)

    def quiet(self, now: float, reason: str) -> None:
        """Stop advertising: the new master does; the VIPs stay until `step_back`."""
        self.group.step_back(now, reason)

    def step_back(self, now: float, reason: str) -> list[Effect]:
        """Become backup without priority 0: another one is master, or shall be."""
        self.quiet(now, reason)
        return [*self._drop(), self._change(NodeRole.BACKUP, reason, now)]

    def leave(self, now: float, reason: str, role: NodeRole) -> list[Effect]:
        """Leave the election (FAULT or INIT); a Master says priority 0 first."""
        sent = self.group.shutdown(now)
        return [*sent, *self._drop(), self._change(role, reason, now)]

    def announce(self, now: float) -> list[Effect]:
        """Announce now and, against loss, some times after."""
        repeats, refresh = self._announcing.repeats, self._announcing.refresh
        self._announcements = [now + after for after in repeats]
        self._refresh_at = now + refresh if refresh else None
        return [Announce(name) for name in self.routers]

    def announce_again(self, now: float) -> list[Effect]:
        """Announce because another one did meanwhile; nothing while a burst is still running."""
        return [] if self._announcements else self.announce(now)

    def on_timer(self, now: float) -> list[Effect]:
        """Leases first: a late advertisement costs less than a lapsed lease."""
        effects: list[Effect] = []
        if self._renewal is not None and self._renewal <= now and self._leased is not None:
            lease, name = self._leased
            period = lease / REFRESHES_PER_LEASE
            self._renewal = max(self._renewal + period, now + period / 2)
            effects.append(RefreshLease(name))
        if self._announcements and self._announcements[0] <= now:
            self._announcements = [at for at in self._announcements if at > now]
            effects += [Announce(name) for name in self.routers]
        if self._refresh_at is not None and self._refresh_at <= now:
            self._refresh_at = now + (self._announcing.refresh or 0.0)
            effects += [Announce(name) for name in self.routers]
        return effects

    def _drop(self) -> list[Effect]:
        """The VIPs go, if they are here."""
        self._renewal = None
        self._announcements = []
        self._refresh_at = None
        return [ReleaseVip(name) for name in self.routers] if self.owns_vip else []

    def _change(self, role: NodeRole, reason: str, now: float) -> RoleChanged:
        self.role, self.reason, self.since = role, reason, now
        return RoleChanged(role, self.epoch, reason)


def _preempts(router: RouterSettings) -> bool:
    """RFC 9568 section 6.1: the owner of the addresses always preempts."""
    return router.preempt or router.priority == PRIORITY_OWNER


def _only_sent(effects: Iterable[object]) -> list[SendAdvertisement]:
    """A router's own StateChanged is no news to the node that caused it."""
    return [effect for effect in effects if isinstance(effect, SendAdvertisement)]
