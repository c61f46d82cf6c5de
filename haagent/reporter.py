"""IO shell: what the guard tells the control process, without ever waiting for it.

Control may hang or be gone: what does not fit into the socket is dropped and counted.
"""

import socket
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass

from haagent.effects import Effect, NodeRole, RoleChanged
from haagent.node import Node
from haagent.pipe import (
    Answer,
    AskedWitness,
    Buckets,
    Line,
    PauseReport,
    PeerReport,
    Report,
    RoleChange,
    RouterReport,
    Rules,
    Stopped,
    ToControl,
    encode,
)
from haagent.realtime import Granted
from haagent.telemetry.histogram import Gaps, Histogram
from haagent.vip.manager import VipManager
from haagent.vrrp.packet import AdvertisementReader
from haagent.vrrp.router import Advertisement

REPORT_SECONDS = 0.25


@dataclass(slots=True)
class Phases:
    """When the steps of one takeover were done, in seconds of the monotonic clock."""

    detected: float
    decided: float
    vip: float | None = None
    announced: float | None = None


class Reporter:
    """The guard's side of the socket pair, outgoing."""

    def __init__(
        self, pipe: socket.socket, *, node: Node, granted: Granted, rtt: Callable[[], float | None]
    ) -> None:
        self._pipe: socket.socket | None = pipe
        self._node = node
        self._granted = granted
        self._rtt = rtt
        self._counters: dict[str, Counter[str]] = defaultdict(Counter)
        self._late: dict[str, Histogram] = defaultdict(Histogram)
        self._gaps: dict[str, Gaps] = defaultdict(Gaps)
        self._connections = 0
        self._role = NodeRole.INIT
        self._worst_late = 0.0
        self._dropped = 0
        self.deadline = 0.0
        self._vips: dict[str, VipManager] = {}
        self._readers: dict[str, AdvertisementReader] = {}

    def watch(self, router: str, vips: VipManager, reader: AdvertisementReader) -> None:
        """What a report says of one router comes from these."""
        self._vips[router] = vips
        self._readers[router] = reader

    def close(self) -> None:
        """Control is gone."""
        self._pipe = None

    def count(self, router: str, event: str) -> None:
        """One more of these."""
        self._counters[router][event] += 1

    def sent(self, router: str, late: float) -> None:
        """An advertisement went out, this much after it was due."""
        self._counters[router]["advertisements_sent"] += 1
        self._late[router].add(late)

    def heard(self, router: str, advert: Advertisement, now: float) -> None:
        """An advertisement came in."""
        self._counters[router]["advertisements_received"] += 1
        if advert.priority:
            self._gaps[router].heard(advert.source, advert.interval, now)
        else:
            self._gaps[router].forget()

    def peer_connected(self) -> None:
        """The peer channel was made."""
        self._connections += 1

    def late(self, seconds: float) -> None:
        """How much later than asked for the loop came round."""
        self._worst_late = max(self._worst_late, seconds)

    def alarm(self, text: str) -> tuple[Effect, ...]:
        """A line that an operator should see."""
        self._send(Line("warning", text))
        return ()

    def note(self, text: str) -> tuple[Effect, ...]:
        """A line for the log."""
        self._send(Line("info", text))
        return ()

    def answer(self, refusal: str | None) -> tuple[Effect, ...]:
        """The answer to the operator's command."""
        self._send(Answer(refusal))
        return ()

    def ask_witness(self, epoch: int) -> tuple[Effect, ...]:
        """Control asks, and brings the answer."""
        self._send(AskedWitness(epoch))
        return ()

    def rules(self, show: bool) -> None:
        """Ask control for what only it can flip."""
        self._send(Rules(show))

    def stopped(self) -> None:
        """The last word."""
        self._send(Stopped())

    def role_changed(self, change: RoleChanged, phases: Phases) -> None:
        """For the SIP core and the history."""
        old, self._role = self._role, change.role
        self._send(
            RoleChange(
                old=old,
                role=change.role,
                epoch=change.epoch,
                reason=change.reason,
                detected=phases.detected,
                decided=phases.decided,
                vip=phases.vip,
                announced=phases.announced,
            )
        )
        self.deadline = 0.0

    def report_if_due(self, now: float) -> None:
        """The whole state, four times a second and after each change."""
        if now < self.deadline:
            return
        self.deadline = now + REPORT_SECONDS
        node = self._node
        self._send(
            Report(
                role=node.role,
                epoch=node.epoch,
                reason=node.reason,
                routers=[self._router(name) for name in self._vips],
                peer=self._peer(),
                realtime={
                    **asdict(self._granted),
                    "worst_late_ms": round(self._worst_late * 1000, 3),
                    "records_dropped": self._dropped,
                },
                explain=node.explain(now),
                pause=self._pause(now),
            )
        )

    def _pause(self, now: float) -> PauseReport | None:
        pause = self._node.pause
        return None if pause.by is None else PauseReport(by=pause.by, left=pause.left(now))

    def _router(self, name: str) -> RouterReport:
        router = self._node.routers[name]
        return RouterReport(
            name=name,
            state=router.state.name,
            effective_priority=router.priority,
            vips_present=self._vips[name].owns,
            lease_renews=self._vips[name].renews,
            counters={**self._counters[name], **self._discards(name)},
            sent=_buckets(self._late[name]),
            heard=_buckets(self._gaps[name].jitter),
        )

    def _discards(self, name: str) -> dict[str, int]:
        discards = self._readers[name].discards
        mismatches = self._readers[name].mismatches
        return {
            **{f"discarded_{reason.value}": count for reason, count in discards.items() if count},
            **{f"mismatched_{what}": count for what, count in mismatches.items() if count},
        }

    def _peer(self) -> PeerReport | None:
        peer = self._node.peer
        if peer is None:
            return None
        known = peer.known
        return PeerReport(
            connected=peer.connected,
            role=known.role.value if known else None,
            epoch=known.epoch if known else None,
            ready=known.ready if known else None,
            rtt_ms=self._rtt(),
            node=known.node if known else None,
            synced=known.synced if known else None,
            priority=known.priority if known else None,
            connections=self._connections,
        )

    def _send(self, message: ToControl) -> None:
        if self._pipe is None:
            return
        try:
            self._pipe.send(encode(message), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            self._dropped += 1
        except OSError:
            self.close()


def _buckets(histogram: Histogram) -> Buckets:
    return Buckets(histogram.counts, histogram.total)
