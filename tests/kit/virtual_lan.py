"""A LAN of virtual routers in virtual time: no sockets, no sleeps, no threads."""

import heapq
from collections.abc import Callable, Iterable
from itertools import count

from haagent.effects import SendAdvertisement
from haagent.vrrp.router import MASTER, Advertisement, StateChanged, VirtualRouter


class VirtualLan:
    """Carries advertisements between bare routers, for the tests of RFC 9568 section 6.4."""

    def __init__(self, *routers: VirtualRouter, latency: float = 0.0005) -> None:
        self.routers = routers
        self.latency = latency
        self.now = 0.0
        self.lost: Callable[[VirtualRouter, VirtualRouter], bool] = lambda src, dst: False
        self.log: list[tuple[float, int, StateChanged]] = []
        self.dead: set[int] = set()
        self._wire: list[tuple[float, int, VirtualRouter, Advertisement]] = []
        self._order = count()

    def start(self, *routers: VirtualRouter) -> None:
        """Start some of the routers, or all."""
        for router in routers or self.routers:
            self._carry_out(router, router.on_startup(self.now))

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while (at := self._next_event()) is not None and at <= end:
            self.now = max(self.now, at)
            self._step()
        self.now = end

    def masters(self) -> list[int]:
        """Addresses of the routers that are master."""
        return [r.address for r in self._alive() if r.state is MASTER]

    def kill(self, router: VirtualRouter) -> None:
        """Power cut: no goodbye."""
        self.dead.add(router.address)

    def _alive(self) -> list[VirtualRouter]:
        return [r for r in self.routers if r.address not in self.dead]

    def _next_event(self) -> float | None:
        times = [r.deadline for r in self._alive() if r.deadline is not None]
        times += [self._wire[0][0]] if self._wire else []
        return min(times, default=None)

    def _step(self) -> None:
        while self._wire and self._wire[0][0] <= self.now:
            _, _, router, advert = heapq.heappop(self._wire)
            if router.address not in self.dead:
                self._carry_out(router, router.on_advertisement(advert, self.now))
        for router in self._alive():
            self._carry_out(router, router.on_timer(self.now))

    def _carry_out(self, router: VirtualRouter, effects: Iterable[SendAdvertisement | StateChanged]) -> None:
        for effect in effects:
            if isinstance(effect, StateChanged):
                self.log.append((self.now, router.address, effect))
                continue
            advert = Advertisement(router.vrid, effect.priority, router.interval, router.address)
            for other in self._alive():
                if other is not router and not self.lost(router, other):
                    heapq.heappush(self._wire, (self.now + self.latency, next(self._order), other, advert))
