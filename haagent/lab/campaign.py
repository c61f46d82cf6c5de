"""IO shell: faults at random moments of call setup, again and again; every call is judged."""

import random
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from haagent.lab.demo import accounts, bars, keep_logs, strike
from haagent.lab.errors import LabError
from haagent.lab.outcome import Summary
from haagent.lab.pair import Pair, Settings
from haagent.lab.phones import Phones
from haagent.lab.scenario import Scenario
from haagent.lab.sight import Sort
from haagent.lab.topology import Lan
from haagent.lab.traffic import Traffic
from haagent.lab.watch import Watch

RATE = 20.0
# A request lost just before the cut is repeated for 32 s (timers B and F of RFC 3261); then it is lost.
PATIENCE = 34.0
TICK = 0.01


class Campaign:
    """Rounds on one laboratory; the node that was cut is booted again and becomes the next standby."""

    def __init__(self, lan: Lan, pair: Pair, watch: Watch, phones: Phones, traffic: Traffic) -> None:
        self._lan, self._pair, self._watch = lan, pair, watch
        self._phones, self._traffic = phones, traffic

    def play(self, summary: Summary, rng: random.Random) -> None:
        """One round: calls are set up, the fault comes in the middle, everything is finished and judged."""
        index, ledger = summary.rounds, self._phones.ledger
        old = self._pair.master()
        new = "b" if old == "a" else "a"
        now = time.monotonic()
        self._traffic.begin(f"r{index}", now)
        self._drive(now + rng.uniform(1.0, 2.0), placing=True)
        at = strike(summary.fault, self._lan, self._pair.nodes[old])
        self._drive(time.monotonic() + 1.0, placing=True)
        self._drive(time.monotonic() + PATIENCE, placing=False)
        self._traffic.forget()
        kept = self._pair.nodes[new].registered()
        summary.rounds += 1
        summary.calls = len(ledger.calls)
        summary.lost = ledger.lost()
        summary.duplicates = ledger.duplicates
        summary.lost_registrations += [f"r{index} {user}" for user in sorted(ledger.registered - kept)]
        end = min(time.monotonic(), at + 10)
        for sort, gaps in ((Sort.ICMP, summary.icmp_gaps_ms), (Sort.SIP, summary.sip_gaps_ms)):
            length = self._watch.sight.gap(sort, at, end).length
            if length is None:
                summary.problems.append(f"r{index}: {sort.name} answers never came back")
            else:
                gaps.append(round(length * 1e3, 2))

    def mend(self) -> None:
        """Boot whichever node lost something, and wait until it is a standby in sync."""
        for name, node in self._pair.nodes.items():
            if node.role() != "MASTER" or not node.is_ready():
                self._pair.revive(name)
        self._pair.wait_ready()

    def _drive(self, until: float, *, placing: bool) -> None:
        while (now := time.monotonic()) < until and (placing or not self._traffic.is_idle):
            self._traffic.step(now, placing=placing)
            time.sleep(TICK)


def run(settings: Settings, summary: Summary, rounds: int, console: Console, logs: Path | None) -> None:
    """Build the laboratory and play all rounds into the summary."""
    rng = random.Random(summary.seed)  # noqa: S311 - the same seed gives the same deeds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haagent-campaign-")))
        stack.callback(keep_logs, folder, logs)
        progress: Progress = stack.enter_context(bars(console))
        lan = stack.enter_context(Lan())
        pair = Pair(lan, folder, settings)
        stack.callback(pair.stop)
        pair.start()
        watch = stack.enter_context(Watch(lan.hosts["client"]))
        phones = stack.enter_context(Phones(lan.hosts["client"], folder, settings.users))
        users = [user for user, _ in settings.users]
        if not Scenario(phones, users, rng, progress).register():
            raise LabError(f"only {len(phones.ledger.registered)} users could register\n{pair.log_ends()}")
        campaign = Campaign(lan, pair, watch, phones, Traffic(phones, users, rng, rate=RATE))
        task = progress.add_task(f"{summary.fault}, {settings.strategy}", total=rounds)
        for _ in range(rounds):
            pair.wait_ready()
            campaign.play(summary, rng)
            progress.update(task, advance=1, description=f"{summary.fault}: {len(summary.lost)} calls lost")
            if summary.rounds < rounds:
                campaign.mend()


def settings_for(strategy: str, advert: float, users: int) -> Settings:
    """The pair's settings of a campaign."""
    return Settings(strategy, advert, accounts(users))
