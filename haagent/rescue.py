"""IO shell: what control does at once when the guard has died: say goodbye, take the VIPs away."""

from collections.abc import Callable

import structlog

from haagent.netlink import RouteSocket
from haagent.pipe import Setup
from haagent.telemetry.events import Event
from haagent.vip.lease import open_rules
from haagent.vip.manager import VipManager
from haagent.vrrp.advertiser import Advertiser
from haagent.vrrp.router import PRIORITY_RELEASE
from haagent.vrrp.socket import FrameSocket

log = structlog.get_logger()


class Rescue:
    """Prepared at start, so that nothing is built or looked up in the moment of need."""

    def __init__(self, setup: Setup, *, flip: Callable[[bool], None]) -> None:
        route = RouteSocket()
        self._rules = rules = open_rules(setup, alarm=_alarm, flip=flip)
        frames = {router.name: FrameSocket(router.interface) for router in setup.routers}
        self._advertisers = {router.name: Advertiser(router, frames[router.name]) for router in setup.routers}
        self._vips = {
            router.name: VipManager(
                router,
                rules=rules,
                route=route,
                frames=frames[router.name],
                alarm=_alarm,
            )
            for router in setup.routers
        }

    def release(self, *, say_goodbye: bool) -> None:
        """Whatever the guard had: as a master it says priority 0, so that the backup takes over at once."""
        self._rules.shown = True  # for all that we know
        for name, vips in self._vips.items():
            if say_goodbye:
                self._advertisers[name].send(PRIORITY_RELEASE)
            vips.release_all()


def _alarm(text: str) -> None:
    log.warning(Event.ALARM, text=text)
