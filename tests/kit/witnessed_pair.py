"""Two whole nodes in virtual time, and a witness that each reaches or not, with the rules of the real one."""

from dataclasses import dataclass, field, replace

from haagent.effects import AskWitness, Effect, NodeRole, RoleChanged
from haagent.settings import NodeSettings
from haagent.witness.said import Outcome, Said, WitnessSettings
from tests.kit.node_pair import Host, Pair, pair

ROUND_TRIP = 0.002
RENEWALS_PER_LEASE = 3


@dataclass
class FakeWitness:
    """The lock as `witness/redis_lock.py` keeps it; the integration tests have the real one."""

    lease: float
    holder: str = ""
    until: float = 0.0
    epoch: int = 0
    unreachable: set[str] = field(default_factory=set)

    def claim(self, node: str, epoch: int, now: float, *, steal: bool) -> Said:
        """One atomic step."""
        if node in self.unreachable:
            return Said(Outcome.AWAY)
        holder = self.holder if now < self.until else ""
        is_held = bool(holder) and holder != node and not (steal and epoch > self.epoch)
        if is_held or (steal and epoch < self.epoch):
            return Said(Outcome.REFUSED, holder or "another node", self.epoch)
        self.holder, self.until, self.epoch = node, now + self.lease, max(self.epoch, epoch)
        return Said(Outcome.GRANTED, node, self.epoch, now + self.lease)


class WitnessedPair(Pair):
    """Control's part is played here: it asks, and renews the lock of a master."""

    def __init__(self, a: NodeSettings, b: NodeSettings, *, strict: bool, lease: float) -> None:
        told = WitnessSettings(lease=lease, timeout=0.05, strict=strict)
        super().__init__(replace(a, witness=told), replace(b, witness=told))
        self.witness = FakeWitness(lease)
        self.asked: list[str] = []
        self._pause = lease / RENEWALS_PER_LEASE

    def _record(self, host: Host, effect: Effect) -> None:
        super()._record(host, effect)
        if isinstance(effect, AskWitness):
            self.asked.append(host.name)
            self._claim(host, effect.epoch, steal=False)
        elif isinstance(effect, RoleChanged) and effect.role is NodeRole.MASTER:
            self._hold(host, effect.epoch)

    def _claim(self, host: Host, epoch: int, *, steal: bool) -> None:
        said = self.witness.claim(host.name, epoch, self.now, steal=steal)
        after = 0.05 if said.outcome is Outcome.AWAY else ROUND_TRIP
        self._post(host, lambda to: to.node.on_witness(said, self.now), after)

    def _hold(self, host: Host, epoch: int) -> None:
        """Again and again, while it is master with this epoch."""

        def again(to: Host) -> list[Effect]:
            if to.node.role is NodeRole.MASTER and to.node.epoch == epoch:
                self._hold(to, epoch)
            return []

        if host.runs:
            self._claim(host, epoch, steal=True)
            self._post(host, again, self._pause)


def witnessed(*, strict: bool, lease: float = 0.5, **options: object) -> WitnessedPair:
    """A pair that runs: a is master, b its backup, both reach the witness."""
    plain = pair(**{"interval": 0.1, **options})  # type: ignore[arg-type]  # options of pair()
    lan = WitnessedPair(plain.a.settings, plain.b.settings, strict=strict, lease=lease)
    lan.start()
    lan.run(4 * lan.a.settings.routers[0].interval + 0.2)
    assert lan.masters() == ["a"], [host.log for host in lan.hosts]
    return lan


def cut_off(lan: WitnessedPair, *hosts: Host) -> None:
    """Both paths between the two are cut, and from these hosts also the one to the witness."""
    lan.cut()
    lan.witness.unreachable |= {host.name for host in hosts}
