"""Sans-IO: what a node makes of VRRP: advertisements, strangers, elections and reasons not to take over."""

from ipaddress import ip_address

from haagent.consent import NodeConsent
from haagent.effects import Alarm, Effect, NodeRole, Note, SendAdvertisement
from haagent.health import weights
from haagent.vrrp.router import PRIORITY_OWNER, PRIORITY_RELEASE, Advertisement, State, VirtualRouter

MAX_STRANGERS = 16


class NodeElection(NodeConsent):
    """The part of a node that hears the other routers of its virtual routers."""

    def on_advertisement(self, router: str, advert: Advertisement, now: float) -> list[Effect]:
        """A valid advertisement for a virtual router of ours (never our own)."""
        if self._own.role not in (NodeRole.MASTER, NodeRole.BACKUP):
            return []
        effects = [*self._note_source(advert), *self._note_owner(router, advert)]
        if advert.priority == PRIORITY_RELEASE:
            self._heard.pop(router, None)
            if self._peer is not None and self._peer.is_source(advert.source):
                self._peer.note_release()
        else:
            self._heard[router] = now
            self._silence_reported = self.pause.heir = False
            self._outlived.discard(router)
            if advert.priority >= self._own.routers[router].priority:
                self._forget_wish()
        if self._own.role is NodeRole.MASTER:
            effects += self._advert_as_master(self._own.routers[router], advert, now)
        else:
            self._own.routers[router].on_advertisement(advert, now)
        return effects + self._run_routers(now)

    def _advert_as_master(self, router: VirtualRouter, advert: Advertisement, now: float) -> list[Effect]:
        """Two masters: one of them is the loser, and the winner announces itself again."""
        if self._handover is not None and advert.priority != PRIORITY_RELEASE:
            if self._handover.let_go is None and self._is_from_peer(advert):
                return self._peer_has_taken(self._own.epoch, now)
            if self._handover.let_go is not None:
                return []
        if self._is_old_masters(advert, now):
            sent = router.contest(now)
        else:
            sent = router.on_advertisement(advert, now)
        if router.state is State.BACKUP:  # one more advertisement, so that the winner announces itself again
            last = SendAdvertisement(router.name, router.priority)
            return [last, *self._yield("a better master advertises", now)]
        effects: list[Effect] = [effect for effect in sent if isinstance(effect, SendAdvertisement)]
        if advert.priority != PRIORITY_RELEASE and effects:
            effects += self._own.announce_again(now)
        return effects

    def _is_from_peer(self, advert: Advertisement) -> bool:
        return self._peer is not None and self._peer.is_source(advert.source)

    def _is_old_masters(self, advert: Advertisement, now: float) -> bool:
        """An advertisement of a peer that we have replaced, or that has no claim equal to ours.

        The channel decides by epoch, and this keeps VRRP from deciding the other way at the same time.
        """
        peer = self._peer
        if peer is None or not self._is_from_peer(advert):
            return False
        is_rival = peer.says(now, NodeRole.MASTER) and peer.epoch >= self._own.epoch
        return now < self._grace_until or (peer.is_fresh(now) and not is_rival)

    def _note_source(self, advert: Advertisement) -> list[Effect]:
        """Between two nodes a third one with our VRID is a mistake or an attack."""
        peer = self._peer
        if peer is None or peer.known is None or peer.is_source(advert.source):
            return []
        if advert.source in self._strangers or len(self._strangers) >= MAX_STRANGERS:
            return []
        self._strangers.add(advert.source)
        return [Alarm(f"{ip_address(advert.source)} advertises VRID {advert.vrid} and is not the peer")]

    def _note_owner(self, router: str, advert: Advertisement) -> list[Effect]:
        """RFC 9568 section 8.3.2: two owners of the same addresses are a mistake in a configuration."""
        is_owner = self._own.routers[router].priority == PRIORITY_OWNER == advert.priority
        if not is_owner or advert.source in self._rivals or len(self._rivals) >= MAX_STRANGERS:
            return []
        self._rivals.add(advert.source)
        return [Alarm(f"{router}: {ip_address(advert.source)} also says that it owns the addresses")]

    def _run_routers(self, now: float) -> list[Effect]:
        """The timers that are due: advertise, or be elected unless there is a reason not to."""
        effects: list[Effect] = []
        for name, router in self._own.routers.items():
            if router.deadline is None or now < router.deadline:
                continue
            if router.state is State.MASTER:
                effects += [e for e in router.on_timer(now) if isinstance(e, SendAdvertisement)]
            elif self._handover is not None:
                router.postpone(now + router.master_down_interval)  # still letting go
            elif (other := self._own.group.outlived_by(name, now)) is not None:
                router.postpone(now + router.interval)
                effects += self._report_outlived(name, other)
            elif (until := self._wait_until(name, now)) is not None:
                router.postpone(until)
                effects += self._report_silence(name)
            elif self._needs_consent(now):
                router.postpone(now + max(router.interval, self._patience))
                effects += self._seek_consent("no master advertises", now)
            else:
                return effects + self._take("no master advertises", now)
        return effects

    def _wait_until(self, name: str, now: float) -> float | None:
        """Two paths before a takeover; none while we are cut off, or lack the records of a living peer."""
        peer, router = self._peer, self._own.routers[name]
        if self.pause.holds or weights.isolation(self._findings) is not None:
            return now + router.interval
        if peer is None or not peer.is_fresh(now):
            return None
        # A master that is to be preempted is heard every interval; a silent one was not for three.
        is_silent = now - self._heard.get(name, 0.0) > 2 * router.master_adver_interval
        serves = peer.says(now, NodeRole.MASTER) and peer.known is not None and peer.known.ready
        suspect = is_silent and self.settings.peer is not None and self.settings.peer.two_paths
        if (suspect and serves) or self._is_behind_a_living_peer(now):
            return peer.fresh_until
        return None

    def _report_outlived(self, name: str, by: str) -> list[Effect]:
        """Once in a silence."""
        if name in self._outlived:
            return []
        self._outlived.add(name)
        return [Alarm(f"{name}: no master advertises, but no takeover: that of {by} is alive")]

    def _report_silence(self, name: str) -> list[Effect]:
        if self._silence_reported:
            return []
        if self.pause.active:
            self._silence_reported = True
            return [Alarm(f"{name}: no master advertises, but no takeover: {self.pause}")]
        isolated = weights.isolation(self._findings)
        if isolated is not None:
            self._silence_reported = True
            return [Alarm(f"{name}: no master advertises, but no takeover: this node is cut off, {isolated}")]
        if self._peer is None or self._peer.known is None:
            return []
        self._silence_reported = True
        if self._peer.known.role is NodeRole.MASTER:
            return [Alarm(f"{name}: the peer says that it is master, but it is not heard by VRRP")]
        return [Note(f"{name}: no takeover while the peer's SIP core has records that this one lacks")]
