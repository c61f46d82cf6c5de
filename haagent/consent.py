"""Sans-IO: a node that hears nothing of its peer asks a witness before it takes over.

The witness holds a lock with a lease and the greatest epoch. Its answer decides only where both paths are
silent; while the peer channel lives, the two nodes agree between themselves, and a connection that the peer's
kernel has closed is proof of a death that needs no witness.
"""

from dataclasses import dataclass

from haagent.effects import Alarm, AskWitness, Effect, NodeRole
from haagent.health import weights
from haagent.settings import NodeSettings
from haagent.steps import NodeSteps
from haagent.witness.said import Outcome, Said

LONELY = "neither the peer nor the witness is heard"


@dataclass(slots=True)
class Wish:
    """A takeover that waits for the witness; without an answer at `limit` it counts as away."""

    reason: str
    by_hello: bool
    limit: float


class NodeConsent(NodeSteps):
    """The part of a node that asks a third."""

    def __init__(self, settings: NodeSettings, *, epoch: int = 0) -> None:
        super().__init__(settings, epoch=epoch)
        self._wish: Wish | None = None
        self._lock_until = 0.0
        self._refusal_reported = False

    def on_witness(self, said: Said, now: float) -> list[Effect]:
        """Its answer to a question, or to the renewal of a master's lock."""
        if said.outcome is Outcome.GRANTED:
            self._lock_until = max(self._lock_until, said.until)
        if self._own.owns_vip:
            return self._superseded(said, now)
        self._own.epoch = max(self._own.epoch, said.epoch)  # fencing: our next one is above all that it knows
        wish, self._wish = self._wish, None
        if wish is None or not self._still_wants(wish, now):
            return []
        if said.outcome is Outcome.GRANTED:
            return self._take(wish.reason, now)
        settings = self.settings.witness
        if said.outcome is Outcome.AWAY and settings is not None and not settings.strict:
            return self._take(f"{wish.reason}; the witness does not answer", now)
        return self._report_refusal(wish, said)

    def explain(self, now: float) -> list[str]:
        """With what the witness has to do with it."""
        lines = super().explain(now)
        if self.settings.witness is None:
            return lines
        if self._own.owns_vip:
            left = (self._lock_until - now) * 1000
            return [*lines, f"the witness's lock: {f'ours for {left:.0f} ms' if left > 0 else 'not ours'}"]
        if self._needs_consent(now):
            lines.append("the peer is not heard: takes over for silence only if the witness agrees")
        return lines

    @property
    def _consent_deadlines(self) -> list[float]:
        """When `_consent_due` has something to do."""
        times = [self._wish.limit] if self._wish is not None else []
        alone = self._alone_at()
        return [*times, alone] if alone is not None else times

    def _consent_due(self, now: float) -> list[Effect]:
        """No answer in time, or a strict master that has nobody left who knows of it."""
        if self._wish is not None and now >= self._wish.limit:
            return self.on_witness(Said(Outcome.AWAY), now)
        alone = self._alone_at()
        if alone is None or now < alone:
            return []
        return [Alarm(f"{LONELY}: this node steps back"), *self._yield(LONELY, now)]

    def _needs_consent(self, now: float) -> bool:
        """Whether a takeover for silence is to be asked for."""
        return self.settings.witness is not None and not (self._peer is not None and self._peer.is_fresh(now))

    def _seek_consent(self, reason: str, now: float, *, by_hello: bool = False) -> list[Effect]:
        """Ask, unless a question is under way."""
        settings = self.settings.witness
        if settings is None or self._wish is not None:
            return []
        self._wish = Wish(reason, by_hello, now + settings.timeout)
        return [AskWitness(self._own.epoch)]

    @property
    def _patience(self) -> float:
        """How long the witness has for its answer."""
        return self.settings.witness.timeout if self.settings.witness is not None else 0.0

    def _forget_wish(self) -> None:
        """A master is heard again."""
        self._wish = None
        self._refusal_reported = False

    def _take(self, reason: str, now: float) -> list[Effect]:
        """However it comes about, the lock is to be confirmed within its lease."""
        self._forget_wish()
        if self.settings.witness is not None:
            self._lock_until = max(self._lock_until, now + self.settings.witness.lease)
        return super()._take(reason, now)

    def _still_wants(self, wish: Wish, now: float) -> bool:
        if self._own.role is not NodeRole.BACKUP or self._fault() is not None or self.pause.active:
            return False
        if self._handover is not None or weights.isolation(self._findings) is not None:
            return False
        if wish.by_hello:
            return self._peer is not None and self._peer.hello_heard is None
        return self._needs_consent(now)

    def _superseded(self, said: Said, now: float) -> list[Effect]:
        """Another one holds the lock, and the peer channel does not say who is right."""
        is_newer = said.outcome is Outcome.REFUSED and said.epoch >= self._own.epoch
        if not is_newer or not self._needs_consent(now):
            return []
        return self._yield(f"the witness knows {said.holder} as master, epoch {said.epoch}", now)

    def _alone_at(self) -> float | None:
        """When a strict master has neither lock nor peer; None: it may stay."""
        settings = self.settings.witness
        if settings is None or not settings.strict or not self._own.owns_vip:
            return None
        is_heard = self._peer is not None and self._peer.connected
        return max(self._lock_until, self._peer.fresh_until if self._peer is not None and is_heard else 0.0)

    def _report_refusal(self, wish: Wish, said: Said) -> list[Effect]:
        """Once in a silence."""
        if self._refusal_reported:
            return []
        self._refusal_reported = True
        if said.outcome is Outcome.AWAY:
            why = "the witness does not answer"
        else:
            why = f"the witness knows {said.holder} as master, epoch {said.epoch}"
        return [Alarm(f"{wish.reason}, but no takeover: {why}")]
