"""Sans-IO: virtual routers that move together: one is Master, so all are; one must leave, so all leave.

Whoever owns the group says when it moves; the group moves all of its routers and knows which of them hear a
master. All virtual routers of a node are one group.
"""

from collections.abc import Iterable

from haagent.effects import SendAdvertisement
from haagent.vrrp.router import RouterEffect, VirtualRouter

SILENT_INTERVALS = 2  # after this much longer a silence, another router's master outlives its own


class SyncGroup:
    """The virtual routers by name; `heard` is when any master of each was heard last."""

    def __init__(self, routers: Iterable[VirtualRouter]) -> None:
        self.routers = {router.name: router for router in routers}
        self.heard: dict[str, float] = {}
        self._started = 0.0

    @property
    def interval(self) -> float:
        """The shortest Advertisement_Interval."""
        return min(router.interval for router in self.routers.values())

    def startup(self, now: float) -> list[SendAdvertisement]:
        """Section 6.4.1 for each; what an address owner sends is returned."""
        self._started = now
        return _sent(effect for router in self.routers.values() for effect in router.on_startup(now))

    def take(self, now: float, reason: str) -> list[SendAdvertisement]:
        """All that are Backup become Master."""
        return _sent(effect for router in self.routers.values() for effect in router.on_take(now, reason))

    def step_back(self, now: float, reason: str) -> None:
        """All that are Master become Backup, without priority 0."""
        for router in self.routers.values():
            router.on_yield(now, reason)

    def shutdown(self, now: float) -> list[SendAdvertisement]:
        """All leave; each Master says priority 0."""
        return _sent(effect for router in self.routers.values() for effect in router.on_shutdown(now))

    def contest(self, now: float) -> list[SendAdvertisement]:
        """All insist on being Master."""
        return _sent(effect for router in self.routers.values() for effect in router.contest(now))

    def hears_master(self, now: float) -> bool:
        """Whether a master of any router advertised within the time that the RFC gives it."""
        return any(
            now - self.heard[name] < router.master_down_interval
            for name, router in self.routers.items()
            if name in self.heard
        )

    def outlived_by(self, silent: str, now: float) -> str | None:
        """A router whose master is alive although that of `silent` has long been silent, or None.

        A group takes over as a whole. If it did so because one of its routers hears nothing, it would meet
        the living master of another one and give everything back, again and again.  When a machine dies,
        all of its routers fall silent within one interval, so this makes no takeover later.
        """
        last = self.heard.get(silent, self._started)
        since = last + SILENT_INTERVALS * self.routers[silent].master_adver_interval
        for name, router in self.routers.items():
            at = self.heard.get(name, 0.0)
            if name != silent and at > since and now - at < router.master_down_interval:
                return name
        return None


def _sent(effects: Iterable[RouterEffect]) -> list[SendAdvertisement]:
    """A router's own StateChanged is no news to the one who caused it."""
    return [effect for effect in effects if isinstance(effect, SendAdvertisement)]
