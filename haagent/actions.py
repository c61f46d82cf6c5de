"""IO shell: carries out the node's effects in the guard, in their order, and times them."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from haagent.effects import (
    Alarm,
    Announce,
    AskWitness,
    ClosePeer,
    CommandAnswered,
    Effect,
    Note,
    RefreshLease,
    ReleaseVip,
    RoleChanged,
    SendAdvertisement,
    SendHello,
    SendPeer,
    Stopped,
    TakeVip,
)
from haagent.netlink import AddressEvent, LinkEvent, RouteSocket
from haagent.node import Node
from haagent.peer.link import Closed, Connected, Data, LinkInput, PeerLink
from haagent.pipe import Setup
from haagent.reporter import Phases, Reporter
from haagent.vip.lease import open_rules
from haagent.vip.manager import VipManager
from haagent.vrrp.advertiser import Advertiser
from haagent.vrrp.socket import FrameSocket
from netrules import RulesError

NONCE_BYTES = 32


class Actions:
    """The hands of one node: VIPs, frames and the peer's connection."""

    def __init__(self, setup: Setup, node: Node, reporter: Reporter, peer: PeerLink | None) -> None:
        self._node = node
        self._reporter = reporter
        self._peer = peer
        self._frames = {router.interface: FrameSocket(router.interface) for router in setup.routers}
        self._advertisers = {
            router.name: Advertiser(router, self._frames[router.interface]) for router in setup.routers
        }
        route = RouteSocket()
        self._rules = open_rules(setup, alarm=reporter.alarm, flip=reporter.rules)
        self.vips = {
            router.name: VipManager(
                router,
                rules=self._rules,
                route=route,
                frames=self._frames[router.interface],
                alarm=reporter.alarm,
            )
            for router in setup.routers
        }
        self._phases = Phases(0.0, 0.0)
        self.stopped = False
        self._table: dict[type[Any], Callable[[Any], Iterable[Effect]]] = {
            SendAdvertisement: self._advertise,
            TakeVip: self._take,
            ReleaseVip: self._release,
            Announce: self._announce,
            RefreshLease: self._refresh,
            SendPeer: self._send_peer,
            SendHello: self._send_hello,
            ClosePeer: self._close_peer,
            AskWitness: lambda effect: self._reporter.ask_witness(effect.epoch),
            RoleChanged: self._role_changed,
            CommandAnswered: lambda effect: self._reporter.answer(effect.refusal),
            Alarm: lambda effect: self._reporter.alarm(effect.text),
            Note: lambda effect: self._reporter.note(effect.text),
            Stopped: self._stop,
        }

    def carry_out(self, effects: Iterable[Effect], detected: float) -> None:
        """All of them, and what follows from them; `detected`: when the cause was seen (seconds)."""
        waiting = deque(effects)
        if not waiting:
            return
        self._phases = Phases(detected, time.monotonic())
        changed = []
        while waiting:
            effect = waiting.popleft()
            if isinstance(effect, RoleChanged):
                changed.append(effect)
            waiting.extend(self._table[type(effect)](effect))
        for change in changed:
            self._reporter.role_changed(change, self._phases)

    def on_peer(self, inputs: Iterable[LinkInput], now: float) -> None:
        """What the peer's sockets said."""
        for link_input in inputs:
            self.carry_out(self._on_peer(link_input, now), now)

    def on_address(self, event: AddressEvent, now: float) -> None:
        """Put back what somebody else removed."""
        for name, vips in self.vips.items():
            if vips.on_address(event):
                self.carry_out(self._node.on_vip_lost(name, now), now)

    def on_link(self, event: LinkEvent, now: float) -> None:
        """Set a virtual MAC up again that somebody else has set down; one that is deleted is a fault."""
        for name, vips in self.vips.items():
            lost = vips.on_link(event)
            if event.gone and vips.macvlan is not None and vips.macvlan.index == event.index:
                self._reporter.alarm(f"{vips.macvlan.name} was deleted by someone else: restart the agent")
                self.carry_out(self._node.on_link(vips.macvlan.name, False, now), now)
            elif lost:
                self.carry_out(self._node.on_vip_lost(name, now), now)

    def on_repair(self, *, done: bool) -> None:
        """The packet rules are being written again, hidden; no lease can lapse meanwhile."""
        self._rules.shown = self._rules.shown and not done
        for vips in self.vips.values():
            vips.on_repair(done=done)

    def renew(self, setup: Setup) -> str | None:
        """A reload: other VIPs, in one transaction of the rules; the reason when that is refused.

        An address that goes does so while it is still guarded, and one that comes is guarded already.
        """
        routers = {router.name: router for router in setup.routers}
        for name, vips in self.vips.items():
            vips.drop({a.address for a in routers[name].addresses})
        try:
            self._rules.replace(setup, shown=self._rules.shown)
        except RulesError as error:
            for vips in self.vips.values():
                vips.restore()
            return f"packet rules: {error}"
        for name, router in routers.items():
            self._advertisers[name].renew(router)
            self.vips[name].renew(router)
        return None

    def _on_peer(self, link_input: LinkInput, now: float) -> list[Effect]:
        effects = self._hear(link_input, now)
        if self._peer is not None:
            self._peer.proven = self._node.peer is not None and self._node.peer.connected
        return effects

    def _hear(self, link_input: LinkInput, now: float) -> list[Effect]:
        if isinstance(link_input, Data):
            return self._node.on_peer_bytes(link_input.data, now)
        if isinstance(link_input, Connected):
            self._reporter.peer_connected()
            return self._node.on_peer_connected(os.urandom(NONCE_BYTES), now)
        if isinstance(link_input, Closed):
            return self._node.on_peer_closed(now, by_peer=link_input.by_peer)
        return self._node.on_hello(link_input.data, now)

    def _follow(self, inputs: Iterable[LinkInput]) -> list[Effect]:
        """What a send has brought to light is an input of its own, after the effects under way."""
        now = time.monotonic()
        return [effect for link_input in inputs for effect in self._on_peer(link_input, now)]

    def _advertise(self, effect: SendAdvertisement) -> Iterable[Effect]:
        if self._advertisers[effect.router].send(effect.priority):
            self._reporter.sent(effect.router, time.monotonic() - self._phases.detected)
        return ()

    def _take(self, effect: TakeVip) -> Iterable[Effect]:
        self.vips[effect.router].take()
        self._phases.vip = time.monotonic()
        return ()

    def _release(self, effect: ReleaseVip) -> Iterable[Effect]:
        self.vips[effect.router].release()
        self._phases.vip = time.monotonic()
        return ()

    def _announce(self, effect: Announce) -> Iterable[Effect]:
        self.vips[effect.router].announce()
        self._reporter.count(effect.router, "announcements")
        self._phases.announced = time.monotonic()
        return ()

    def _refresh(self, effect: RefreshLease) -> Iterable[Effect]:
        if self.vips[effect.router].refresh():
            self._reporter.count(effect.router, "lease_renewals")
            return ()
        self._reporter.count(effect.router, "lease_lapses")
        return self._node.on_lease_lapsed(effect.router, time.monotonic())

    def _send_peer(self, effect: SendPeer) -> Iterable[Effect]:
        return self._follow(self._peer.send(effect.data)) if self._peer is not None else ()

    def _send_hello(self, effect: SendHello) -> Iterable[Effect]:
        if self._peer is not None:
            self._peer.send_hello(effect.data)
        return ()

    def _close_peer(self, effect: ClosePeer) -> Iterable[Effect]:
        if self._peer is None:
            return ()
        self._reporter.note(f"peer channel closed: {effect.reason}")
        return self._follow(self._peer.drop(effect.reason, now=time.monotonic()))

    def _role_changed(self, _effect: RoleChanged) -> Iterable[Effect]:
        return ()  # told after the batch, with its times

    def _stop(self, _effect: Stopped) -> Iterable[Effect]:
        for vips in self.vips.values():
            vips.leave()
        self.stopped = True
        return ()
