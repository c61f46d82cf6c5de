"""IO shell: the demo: a pair with live calls loses its master, and every call goes on."""

import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from haagent.lab import faults, timeline
from haagent.lab.errors import LabError
from haagent.lab.ledger import Call, Ledger, Wish
from haagent.lab.outcome import Fault, Options, Outcome
from haagent.lab.pair import Node, Pair, Settings
from haagent.lab.phones import Phones
from haagent.lab.scenario import Scenario
from haagent.lab.sight import Sort
from haagent.lab.topology import Lan
from haagent.lab.watch import Watch, wait_until

# By which event of the phones each method is known to have been answered (an ACK: to have arrived).
ANSWERS = {"CANCEL": "cancel_answered", "ACK": "established", "BYE": "bye_answered", "INVITE": "answered"}


def accounts(count: int) -> tuple[tuple[str, str], ...]:
    """User names and passwords."""
    return tuple((f"user{index:03}", f"secret-{index}") for index in range(count))


def bars(console: Console) -> Progress:
    """The progress display of the laboratory."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:32}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
    )


def run(options: Options, console: Console, logs: Path | None = None) -> Outcome:
    """Build the laboratory, run the demo, take everything away again."""
    begin = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="haagent-demo-")))
        stack.callback(keep_logs, folder, logs)
        progress = stack.enter_context(bars(console))
        users = accounts(options.users)
        step = progress.add_task("laboratory: LAN, nodes a and b", total=2)
        lan = stack.enter_context(Lan())
        progress.advance(step)
        pair = Pair(lan, folder, Settings(options.strategy, options.advert, users))
        stack.callback(pair.stop)
        pair.start()
        progress.advance(step)
        watch = stack.enter_context(Watch(lan.hosts["client"]))
        phones = stack.enter_context(Phones(lan.hosts["client"], folder, users))
        watch.wait_answer(Sort.SIP)
        rng = random.Random(options.seed)  # noqa: S311 - the same seed gives the same users' deeds
        scenario = Scenario(phones, [user for user, _ in users], rng, progress)
        outcome = Demo(lan, pair, watch, phones.ledger, scenario).run(options, rng, progress)
    outcome.seconds = round(time.monotonic() - begin, 1)
    return outcome


class Demo:
    """One run on a laboratory that is up."""

    def __init__(self, lan: Lan, pair: Pair, watch: Watch, ledger: Ledger, scenario: Scenario) -> None:
        self._lan, self._pair, self._watch = lan, pair, watch
        self._ledger, self._scenario = ledger, scenario

    def run(self, options: Options, rng: random.Random, progress: Progress) -> Outcome:
        """Register, call, break, go on, look."""
        pair, scenario = self._pair, self._scenario
        if not scenario.register():
            raise LabError(f"only {len(self._ledger.registered)} users could register\n{pair.log_ends()}")
        calls = scenario.call(options.calls)
        old = pair.master()
        before = pair.nodes[old].registered()
        calls_before = sum(call.is_up or call.is_ringing for call in calls)
        time.sleep(rng.uniform(0.2, 0.5))
        step = progress.add_task(f"fault: {options.fault}, node {old}", total=1)
        at = strike(options.fault, self._lan, pair.nodes[old])
        scenario.finish_ringing(calls)
        new = self._wait_for_other(old, at, options.advert)
        progress.advance(step)
        until, kept = time.monotonic(), sum(_is_kept(call) for call in calls)
        again = scenario.call_again(options.calls)
        scenario.hang_up([*calls, *again])
        answered = scenario.ask_options(20)
        outcome = self._outcome(options, old, new, at, until)
        outcome.calls = (calls_before, kept)
        outcome.options_answered = (answered, min(20, options.users))
        after = pair.nodes[new].registered() if new else set()
        outcome.registrations = (len(before), len(after))
        outcome.lost_registrations = sorted((before | self._ledger.registered) - after)
        self._judge(outcome, at)
        return outcome

    def _wait_for_other(self, old: str, at: float, advert: float) -> str | None:
        sight = self._watch.sight
        wait_until(lambda: sight.switched(Sort.ARP, at, old) is not None, 3 + 5 * advert)
        wait_until(lambda: sight.switched(Sort.SIP, at, old) is not None, 2)
        others = sight.who(Sort.ARP, at, time.monotonic()) - {old}
        return min(others, default=None)

    def _outcome(self, options: Options, old: str, new: str | None, at: float, until: float) -> Outcome:
        sight = self._watch.sight
        switched = sight.switched(Sort.ARP, at, old) or until
        moments = [timeline.Moment(at, "laboratory", f"{options.fault} fault at {old}")]
        if new:
            moments += timeline.takeover(self._pair.nodes[new].history(), new, at)
        moments += timeline.seen_by_client(sight, self._ledger, at, until, old)
        return Outcome(
            options=options,
            old=old,
            new=new,
            icmp_gap_ms=_ms(sight.gap(Sort.ICMP, at, until).length),
            sip_gap_ms=_ms(sight.gap(Sort.SIP, at, until).length),
            owners=sorted(sight.who(Sort.ARP, switched + 0.1, until)),
            timeline=timeline.rows(moments, at),
        )

    def _judge(self, outcome: Outcome, at: float) -> None:
        ledger = self._ledger
        outcome.placed = len(ledger.calls)
        outcome.lost = ledger.lost()
        outcome.duplicates = ledger.duplicates
        outcome.errors = ledger.errors
        names = {
            "CANCEL": "cancel_answered",
            "ACK": "established",
            "BYE": "bye_answered",
            "INVITE": "answered",
        }
        outcome.answers = {method: ledger.answers(name, since=at) for method, name in names.items()}


def strike(fault: Fault, lan: Lan, node: Node) -> float:
    """Let a fault happen to a node; when it struck."""
    if fault is Fault.POWER:
        at = faults.power(lan, node.name)
    elif fault is Fault.LINK:
        at = faults.link(lan, node.name)
    elif fault is Fault.CORE:
        at = faults.kill(node.core_pids())
    elif fault is Fault.AGENT:
        at = faults.kill(node.agent_pids())
    elif fault is Fault.FREEZE:
        at = faults.freeze(node.agent_pids())
    else:
        at = time.monotonic()
        node.agent.post("/v1/switchover")
    node.reap()
    return at


def _is_kept(call: Call) -> bool:
    """Whether a call that lived at the fault went on as its users wished, up to now."""
    return call.is_up or call.is_over if call.wish is Wish.TALK else call.is_over


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 2)


def keep_logs(folder: Path, target: Path | None) -> None:
    """Copy logs and configs out of a laboratory that goes away."""
    if target is None:
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in _logs(folder):
        shutil.copyfile(path, target / "-".join(path.relative_to(folder).parts))


def _logs(folder: Path) -> Sequence[Path]:
    return [*folder.rglob("*.log"), *folder.rglob("*.toml"), *folder.rglob("history.jsonl")]
