"""Two strict nodes and a witness: whatever is cut, killed or frozen, two masters last at most a lease."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from haagent.control.commands import Switchover
from tests.kit.node_pair import Host
from tests.kit.witnessed_pair import WitnessedPair, witnessed

LEASE = 0.5


def cut(lan: WitnessedPair, _host: Host) -> None:
    lan.cut()


def cut_one(lan: WitnessedPair, host: Host) -> None:
    lan.cut(lan=host is lan.a, path=host is lan.b)


def heal(lan: WitnessedPair, _host: Host) -> None:
    lan.heal()


def lose_witness(lan: WitnessedPair, host: Host) -> None:
    lan.witness.unreachable.add(host.name)


def find_witness(lan: WitnessedPair, host: Host) -> None:
    lan.witness.unreachable.discard(host.name)


def kill(lan: WitnessedPair, host: Host) -> None:
    if host.runs:
        lan.kill_agent(host)


def back(lan: WitnessedPair, host: Host) -> None:
    if host.frozen and not host.stopped:
        lan.thaw(host)
    elif not host.runs:
        lan.restart(host)


def freeze(lan: WitnessedPair, host: Host) -> None:
    if host.runs:
        lan.freeze(host)


def switchover(lan: WitnessedPair, host: Host) -> None:
    if host.runs:
        lan.command(host, host.node.on_command(Switchover(), lan.now))


Action = Callable[[WitnessedPair, Host], None]
ACTIONS: list[Action] = [
    *(cut, cut_one, heal, lose_witness, find_witness, kill, back, freeze, switchover),
]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.sampled_from("ab"), st.floats(0.01, 1.5)),
        max_size=14,
    )
)
def test_two_masters_last_no_longer_than_a_lease(story: list[tuple[Action, str, float]]) -> None:
    lan = witnessed(strict=True, lease=LEASE)
    for act, name, seconds in story:
        act(lan, lan.a if name == "a" else lan.b)
        lan.run(seconds)
        lan.run(0.01)
    assert lan.doubled() <= LEASE + 0.1, (lan.a.log, lan.b.log)
    lan.witness.unreachable.clear()
    lan.heal()
    for host in lan.hosts:
        back(lan, host)
    lan.run(6.0)
    assert len(lan.masters()) == 1, (lan.a.log, lan.b.log)
