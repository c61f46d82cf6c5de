"""IO shell: the fault list: how each is injected, and which invariants its history must keep.

faults.json is the list as it was agreed on, with its evidence; the ids are its. Ids that begin with X were
added here. What is not injected stands in `ELSEWHERE`, with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bench.faults import channel, network, nodes, operator
from bench.faults.history import HEALED, History
from bench.faults.judge import (
    Invariant,
    alarmed,
    at_least,
    at_most,
    doubled_at_most,
    healed_to_one,
    master_down,
    moved,
    never_master,
    nothing_lost,
    one_at_end,
    one_interval,
    one_owner,
    owner_at_end,
    served,
    stays,
    takeovers_at_most,
)
from bench.faults.stage import Stage
from haagent.lab.sight import Sort

LEASE = 0.1
SECONDS = 1.0


@dataclass(frozen=True)
class Fault:
    """One fault of the list."""

    id: str
    name: str
    play: Callable[[Stage], None]
    invariants: tuple[Invariant, ...]
    control: bool = False
    """keepalived can be struck by it, too."""
    quick: bool = False
    """Part of the short run."""

    @property
    def title(self) -> str:
        """The first sentence of what the injector says."""
        return (self.play.__doc__ or "").partition("\n")[0]


def check_time(history: History) -> float:
    """keepalived's checks run every second, and it acts on the second that fails."""
    return history.master_down + (2.0 if history.contender == "keepalived" else 0.0)


AWAY = "the node does not come back by itself"
DOWN = "within three intervals, the skew and 150 ms"
REST = (one_at_end(), nothing_lost())
QUIET = (stays(), *REST)
NODES = (
    Fault(
        "F01", "agent-kill", nodes.kill_agent,
        (moved(master_down, DOWN), one_owner(master_down, f"{DOWN}, and never two after"), *REST),
        control=True, quick=True,
    ),
    Fault(
        "F02", "core-kill", nodes.kill_core,
        (served(check_time, "within the check's time", sort=Sort.SIP), owner_at_end(old=False), *REST),
        control=True,
    ),
    Fault(
        "F03", "power", nodes.cut_power,
        (served(master_down, DOWN), served(master_down, DOWN, sort=Sort.SIP), *REST),
        control=True, quick=True,
    ),
    Fault(
        "X01", "freeze-agent-2s", nodes.freeze_agent,
        (
            moved(master_down, DOWN), doubled_at_most(LEASE + SECONDS / 20),
            takeovers_at_most(1), owner_at_end(old=False), *REST,
        ),
        control=True, quick=True,
    ),
    Fault(
        "X02", "freeze-machine-10s", nodes.freeze_machine,
        (
            served(master_down, DOWN), doubled_at_most(LEASE + SECONDS / 20),
            never_master(new=False, says="the old master does not take over when it wakes", since=HEALED),
            *REST,
        ),
        control=True,
    ),
    Fault(
        "F05", "freeze-backup-10s", nodes.freeze_backup,
        (
            *QUIET, at_most("master_core_grew_by_mb", 20, "the master's memory is bounded: 20 MB at most"),
            at_most("seconds_until_in_sync", 5, "the backup is in sync within 5 s of waking"),
        ),
    ),
    Fault(
        "F13", "start-together", nodes.start_together,
        (at_most("slowest_start_s", 10, "somebody serves within 10 s"), doubled_at_most(0.25), one_at_end()),
    ),
    Fault(
        "F16", "restart-old-master", nodes.restart_old_master,
        (stays(booting=True), *REST, never_master(new=True, says="the node that comes back stays backup")),
        control=True,
    ),
    Fault("X03", "cpu-starvation", nodes.starve, QUIET, control=True),
    Fault(
        "F29", "clock-jump", nodes.jump_clock,
        (
            *QUIET, at_most("contacts_that_went", 0, "no contact expires"),
            at_most("expiry_differs_by_s", 2, "the nodes' remaining times differ by less than 2 s"),
        ),
    ),
    Fault(
        "F31", "disk-full", nodes.fill_disk,
        (
            served(0.5, "within 500 ms", sort=Sort.SIP), owner_at_end(old=False), *REST,
            at_most("epoch_of_a_is_torn", 0, "a's epoch file is whole"),
            at_most("epoch_of_b_is_torn", 0, "b's epoch file is whole"),
            alarmed("the state directory cannot be written", new=True),
        ),
    ),
    Fault(
        "F32", "files-exhausted", nodes.exhaust_files,
        (*QUIET, at_least("control_sockets_answer_again", 1, "it recovers")),
    ),
    Fault(
        "F34", "memory-limit", nodes.limit_memory,
        (served(SECONDS, "within 1 s", sort=Sort.SIP), *REST),
    ),
)  # fmt: skip
NETWORK = (
    Fault(
        "X04", "cable", network.pull_cable,
        (served(master_down, DOWN), never_master(new=False, says=AWAY), *REST),
        control=True,
    ),
    Fault(
        "F38", "interface-down", network.interface_down,
        (served(master_down, DOWN), never_master(new=False, says=AWAY), *REST),
        control=True,
    ),
    Fault(
        "F06", "partition", network.partition,
        (healed_to_one(one_interval, "within an interval and 150 ms"), takeovers_at_most(1), *REST),
        control=True, quick=True,
    ),
    Fault("X05", "one-way-loss", network.one_way, QUIET, control=True),
    Fault(
        "X06", "multicast-filtered", network.filter_multicast,
        (*QUIET, alarmed("it is not heard by VRRP", new=True)), control=True,
    ),
    Fault("F10", "loss-30-percent", network.lose, QUIET, control=True),
    Fault("F11", "delay-and-jitter", network.delay, (takeovers_at_most(2), *REST), control=True),
    Fault(
        "F35", "vip-removed", network.remove_vip, (served(SECONDS, "within 1 s"), *REST),
        control=True,
    ),
    Fault("F36", "vip-on-the-backup", network.add_vip, (doubled_at_most(SECONDS), *REST), control=True),
    Fault(
        "F37", "announcements-lost", network.lose_announcements,
        (served(5.0, "within 5 s"), *REST), control=True,
    ),
    Fault("X07", "forged-advertisements", network.forge, QUIET, control=True, quick=True),
    Fault("X08", "same-vrid", network.same_vrid, QUIET, control=True),
)  # fmt: skip
CHANNEL = (
    Fault(
        "F08", "replication-cut", network.cut_replication,
        (
            *QUIET, at_most("noticed_after_s", 0.5, "the cut is shown after three heartbeats"),
            at_most("in_sync_after_s", 5, "in sync within 5 s of the heal"),
        ),
    ),
    Fault(
        "F24", "half-open", network.cut_second_path,
        (
            *QUIET, at_most("noticed_after_s", 0.5, "the cut is shown after three heartbeats"),
            at_most("in_sync_after_s", 5, "in sync within 5 s of the heal"),
            at_most("files_left_open", 0, "no file descriptor is left behind"),
        ),
    ),
    Fault(
        "F21", "poison", channel.poison,
        (
            *QUIET, at_least("core_is_alive", 1, "the core does not die of it"),
            at_most("master_core_grew_by_mb", 8, "it allocates at most two frames' worth"),
            at_least("in_sync", 1, "the standby is in sync"),
        ),
    ),
    Fault(
        "F27", "wrong-key", channel.wrong_key,
        (
            stays(booting=True), *REST,
            at_most("connected_peers", 0, "it is refused"), at_least("refused", 1, "and counted"),
            at_most("contacts_of_the_stranger", 0, "it gets no record"),
        ),
    ),
    Fault(
        "F28", "second-standby", channel.second_standby,
        (*QUIET, at_least("first_standby_in_sync", 1, "the first standby is in sync all the same")),
    ),
    Fault("F45", "silent-backup", network.listen_to_backup,
          (*QUIET, at_most("sip_packets_from_backup", 0, "the backup sends no SIP packet"))),
    Fault(
        "F46", "switchovers", operator.switch_over,
        (
            served(0.1, "within 100 ms"), takeovers_at_most(operator.SWITCHOVERS),
            at_most("refused", 0, "none is refused"), *REST,
        ),
    ),
    Fault(
        "F47", "reload", operator.reload,
        (
            *QUIET, served(0.03, "within 30 ms"),
            at_least("second_vip_on_master", 1, "the master has the new virtual IP"),
            at_most("second_vip_on_backup", 0, "the backup does not"),
            at_most("second_vip_left_behind", 0, "taken out of the file, it goes"),
        ),
        quick=True,
    ),
    Fault(
        "X09", "reload-in-election", operator.reload_in_election,
        (served(master_down, DOWN), takeovers_at_most(1), *REST),
    ),
)  # fmt: skip
FAULTS = (*NODES, *NETWORK, *CHANNEL)
ELSEWHERE = {
    "F17": "the channel's own tests cut a full sync at every frame: tests/property/test_replication.py",
    "F18": "the channel's own tests cut a full sync at every frame: tests/property/test_replication.py",
    "F23": "TCP does not reorder; frames are repeated and reordered in tests/property/test_replication.py",
    "F40": "every trial here hangs its calls up after the fault, from either side: see `nothing is lost`",
    "F43": "the phones here speak UDP; TCP clients: tests/integration/sipcore/test_stream_calls.py",
    "F44": "needs a virtual clock: tests/unit/sipcore/registrar",
    "F49": "there is one pair here, no second POP: tests/integration/sipcore/test_pops.py",
}
