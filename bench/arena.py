"""IO shell: one pair in one laboratory: a fault strikes its master at a chosen phase, and is mended."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.contender import Contender, Settings
from bench.keepalived import Keepalived
from bench.ours import Ours
from bench.sniff import Adverts
from haagent.lab import faults
from haagent.lab.errors import LabError
from haagent.lab.namespaces import signal_all
from haagent.lab.outcome import Fault
from haagent.lab.sight import Sight, Sort
from haagent.lab.topology import NODES, Lan
from haagent.lab.watch import Watch, wait_until

CONTENDERS: dict[str, Callable[[Lan, Path, Settings], Contender]] = {
    "keepalived": Keepalived,
    "haagent": Ours,
}
AROUND = 0.1  # seconds before the fault and after it in which each question is counted
TICK = 0.001
READY = 40.0  # seconds: also where others need the processor


@dataclass(slots=True)
class Round:
    """What one fault did. Times in milliseconds; None: it did not come back while we looked."""

    contender: str
    fault: str
    advert_ms: float
    phase: float
    gap_ms: float | None
    sip_gap_ms: float | None
    switch_ms: float | None
    lost: int
    """ICMP questions of the time around the fault that nobody answered."""
    owners: int
    double_ms: float
    stall_ms: float
    """For how long the probe itself was kept from looking: the machine's noise, in every other figure."""


class Arena:
    """One contender in one laboratory at one advertisement interval."""

    def __init__(self, lan: Lan, contender: Contender, watch: Watch, settings: Settings) -> None:
        self._lan, self._contender, self._watch, self._settings = lan, contender, watch, settings
        self._master = "a"

    def start(self) -> None:
        """Start the pair, a first."""
        since = time.monotonic()
        for node in NODES:
            self._contender.start(node)
            self._await_ready(node)
        self._watch.wait_answer(Sort.SIP, after=since, timeout=READY)

    def play(self, fault: Fault, phase: float) -> Round:
        """Let a fault strike the master at a phase of its advertisements; look; mend."""
        advert, old = self._settings.advert, self.find_master()
        with Adverts(self._lan, old) as adverts:
            seen = adverts.wait(2 + 4 * advert)
            time.sleep(max(0.0, seen + phase * advert - time.monotonic()))
            at = self._strike(fault, old)
        new = "b" if old == "a" else "a"
        sight = self._watch.sight
        # A crashed service is noticed by a check of up to 1 s, and is told after `fall` of them.
        patience = 2 + 5 * advert + (self._settings.fall + 1 if fault is Fault.CORE else 0)
        wait_until(lambda: new in sight.who(Sort.ARP, at, at + patience), patience)
        switched = sight.moved(at, old)
        end = max(at, switched or at) + 0.5
        time.sleep(max(0.0, end + 0.05 - time.monotonic()))
        result = self._judge(fault, phase, at, end, old)
        self._mend(old, fault)
        return result

    def _strike(self, fault: Fault, node: str) -> float:
        contender = self._contender
        if fault is Fault.POWER:
            return faults.power(self._lan, node)
        if fault is Fault.LINK:
            return faults.link(self._lan, node)
        if fault is Fault.SWITCHOVER:
            at = time.monotonic()
            contender.switchover(node)
            return at
        if fault is Fault.CORE:
            at = faults.kill(contender.core(node))
            contender.reap(node)
            return at
        pids = contender.agent(node)
        return faults.kill(pids) if fault is Fault.AGENT else faults.freeze(pids)

    def _judge(self, fault: Fault, phase: float, at: float, end: float, old: str) -> Round:
        sight = self._watch.sight
        switched = sight.moved(at, old)
        later = (switched or at) + 0.1
        return Round(
            contender=self._contender.name,
            fault=fault,
            advert_ms=self._settings.advert * 1e3,
            phase=phase,
            gap_ms=_ms(sight.gap(Sort.ICMP, at, end).length),
            sip_gap_ms=_ms(sight.gap(Sort.SIP, at, end).length),
            switch_ms=_ms(None if switched is None else switched - at),
            lost=lost_probes(sight, at - AROUND, end),
            owners=len(sight.who(Sort.ARP, later, later + 0.1)),
            double_ms=_double(sight, switched, old, end) * 1e3,
            stall_ms=sight.stalled(at, end) * 1e3,
        )

    def _mend(self, node: str, fault: Fault) -> None:
        """Ours is mended without a boot where the fault allows it: that also shows that it comes back."""
        if self._contender.name != "haagent" or fault is Fault.POWER:
            self._contender.stop(node)
            self._lan.reboot(node)
        else:
            signal_all(self._lan.hosts[node].processes(), signal.SIGCONT)
            self._lan.plug(node, "lan")
        self._contender.start(node)
        self._await_ready(node)

    def _await_ready(self, node: str) -> None:
        if not wait_until(lambda: self._contender.ready(node), READY):
            raise LabError(f"{self._contender.name} on node {node} is not ready after {READY:g} s")

    def find_master(self) -> str:
        now = time.monotonic()
        self._watch.wait_answer(Sort.ARP, after=now)
        return self._watch.sight.owners[Sort.ARP][-1]


def _double(sight: Sight, switched: float | None, old: str, end: float) -> float:
    """For how long both nodes answered, in seconds."""
    if switched is None:
        return 0.0
    pairs = zip(sight.times[Sort.ARP], sight.owners[Sort.ARP], strict=False)
    late = [t for t, owner in pairs if owner == old and switched < t <= end]
    return late[-1] - switched if late else 0.0


def lost_probes(sight: Sight, since: float, until: float) -> int:
    """The probe asks every millisecond, so the answers that are missing between the first and the last."""
    times = [at for at in sight.times[Sort.ICMP] if since <= at <= until]
    if not times:
        return round((until - since) / TICK)
    return max(0, round((times[-1] - times[0]) / TICK) + 1 - len(times))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 2)
