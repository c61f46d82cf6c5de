"""A node with many virtual routers: what is one for all of them is done once, not once for each."""

from haagent.effects import RefreshLease
from haagent.mastership import Mastership
from haagent.settings import NodeSettings, RouterSettings


def test_the_lease_of_a_hundred_routers_is_renewed_once_in_a_third_of_the_shortest() -> None:
    routers = tuple(
        RouterSettings(
            name=f"r{index}",
            vrid=index,
            interface="eth0",
            priority=100,
            source="10.0.0.1",
            interval=0.1,
            preempt=False,
            lease=0.06 if index == 7 else 0.09,
        )
        for index in range(1, 101)
    )
    own = Mastership(NodeSettings("a", routers), epoch=0)
    own.join(0.0, "startup")
    own.take(0.0, "no master advertises")
    renewals = []
    for millisecond in range(1, 1001):
        renewals += [e for e in own.on_timer(millisecond / 1000) if isinstance(e, RefreshLease)]
    assert {effect.router for effect in renewals} == {"r7"}
    assert 48 <= len(renewals) <= 50
