"""Virtual routers that move together."""

import pytest

from haagent.effects import SendAdvertisement
from haagent.vrrp.router import BACKUP, INITIALIZE, MASTER, Advertisement, State, VirtualRouter
from haagent.vrrp.sync_group import SyncGroup


def group(*intervals: float, priority: int = 100) -> SyncGroup:
    return SyncGroup(
        VirtualRouter(name=f"r{n}", vrid=n, priority=priority, address=1, interval=interval)
        for n, interval in enumerate(intervals, 1)
    )


def states(one: SyncGroup) -> set[State]:
    return {router.state for router in one.routers.values()}


def sent(priority: int, count: int = 2) -> list[SendAdvertisement]:
    return [SendAdvertisement(f"r{n}", priority) for n in range(1, count + 1)]


def hear(one: SyncGroup, name: str, now: float) -> None:
    one.routers[name].on_advertisement(Advertisement(1, 200, one.routers[name].interval, 9), now)
    one.heard[name] = now


def test_all_take_step_back_and_leave_together() -> None:
    one = group(1.0, 1.0)
    assert one.startup(0.0) == []
    assert states(one) == {BACKUP}
    assert one.take(1.0, "told") == sent(100)
    assert states(one) == {MASTER}
    assert one.contest(1.1) == sent(100)
    one.step_back(2.0, "told")
    assert states(one) == {BACKUP}
    one.take(3.0, "told")
    assert one.shutdown(4.0) == sent(0)
    assert states(one) == {INITIALIZE}


def test_an_owner_of_addresses_speaks_at_startup() -> None:
    assert group(1.0, 1.0, priority=255).startup(0.0) == sent(255)


def test_a_router_whose_master_outlives_that_of_a_silent_one_is_named() -> None:
    one = group(0.1, 0.1)
    one.startup(0.0)
    for tenth in range(1, 20):
        hear(one, "r1", tenth / 10)
        if tenth <= 10:
            hear(one, "r2", tenth / 10)
    assert one.outlived_by("r2", 1.95) == "r1"
    assert one.outlived_by("r1", 1.95) is None


def test_one_that_was_never_heard_is_outlived_too() -> None:
    one = group(0.1, 0.1)
    one.startup(0.0)
    hear(one, "r1", 0.35)
    assert one.outlived_by("r2", 0.4) == "r1"


@pytest.mark.parametrize(("slow", "last"), [(0.1, 4.99), (1.0, 4.0), (1.0, 4.99)])
def test_a_machine_that_dies_leaves_nobody_outlived(slow: float, last: float) -> None:
    """Whatever the intervals: the last advertisements are never two intervals of the silent one apart."""
    one = group(slow, 0.1)
    one.startup(0.0)
    hear(one, "r1", last)
    hear(one, "r2", 4.9)  # it died just before 5.0
    deadline = one.routers["r2"].deadline
    assert deadline is not None
    assert one.outlived_by("r2", deadline) is None


def test_a_master_that_has_been_silent_itself_holds_nothing_up() -> None:
    one = group(0.1, 0.1)
    one.startup(0.0)
    hear(one, "r2", 1.0)
    hear(one, "r1", 1.9)
    assert one.outlived_by("r2", 2.0) == "r1"
    assert one.outlived_by("r2", 2.5) is None
