"""VirtualRouter against RFC 9568 section 6.4, a test for each sentence; checklist numbers are in brackets."""

import pytest

from haagent.effects import SendAdvertisement
from haagent.errors import IllegalTransitionError
from haagent.vrrp.pdu import HEADER, encode
from haagent.vrrp.router import (
    BACKUP,
    INITIALIZE,
    LEGAL,
    MASTER,
    Advertisement,
    State,
    StateChanged,
    VirtualRouter,
)
from haagent.vrrp.timers import master_down_interval, skew_time
from tests.kit.virtual_lan import VirtualLan


def router(
    priority: int = 100, address: int = 1, *, preempt: bool = True, two_node: bool = False
) -> VirtualRouter:
    return VirtualRouter(
        vrid=51, priority=priority, address=address, preempt=preempt, two_node=two_node, name="r"
    )


def advert(priority: int, source: int = 9, interval: float = 1.0) -> Advertisement:
    return Advertisement(51, priority, interval, source)


def master(priority: int = 100, address: int = 5) -> VirtualRouter:
    made = router(priority, address)
    made.on_startup(0.0)
    made.on_take(1.0, "test")
    assert made.state is MASTER
    return made


def test_skew_time_and_down_interval_follow_section_6_1() -> None:
    """[29, 30, 32]"""
    assert skew_time(100, 1.0) == pytest.approx(0.609375)
    assert master_down_interval(254, 0.01) == pytest.approx(0.03 + 0.01 * 2 / 256)
    assert skew_time(254, 0.01) > 0


def test_intervals_are_centiseconds_of_12_bits_on_the_wire() -> None:
    """[8]"""
    sent = [encode(version=3, vrid=1, interval=i, addresses=[]) for i in (0.01, 1.0, 40.95, 50.0)]
    assert [HEADER.unpack(pdu)[4] for pdu in sent] == [1, 100, 4095, 4095]


def test_an_address_owner_starts_as_master_and_advertises_at_once() -> None:
    """[33]"""
    owner = router(255)
    assert owner.on_startup(0.0) == [
        SendAdvertisement("r", 255),
        StateChanged(INITIALIZE, MASTER, "address owner"),
    ]
    assert owner.deadline == 1.0


def test_any_other_starts_as_backup_and_waits_the_down_interval() -> None:
    """[34]"""
    one = router(100)
    assert one.on_startup(0.0) == [StateChanged(INITIALIZE, BACKUP, "startup")]
    assert one.deadline == pytest.approx(3.609375)


def test_a_backup_leaves_without_a_word() -> None:
    """[39]"""
    one = router()
    one.on_startup(0.0)
    assert one.on_shutdown(1.0) == [StateChanged(BACKUP, INITIALIZE, "shutdown")]
    assert one.deadline is None
    assert one.on_shutdown(2.0) == []


def test_when_the_down_timer_fires_a_backup_advertises_and_becomes_master() -> None:
    """[40]"""
    one = router()
    one.on_startup(0.0)
    assert one.on_timer(3.6) == []
    assert one.on_timer(3.61) == [
        SendAdvertisement("r", 100),
        StateChanged(BACKUP, MASTER, "master down timer"),
    ]
    assert one.deadline == pytest.approx(4.61)


def test_priority_0_makes_a_backup_wait_only_skew_time() -> None:
    """[41]"""
    one = router()
    one.on_startup(0.0)
    one.on_advertisement(advert(0), 1.0)
    assert one.deadline == pytest.approx(1.609375)


def test_with_two_nodes_nobody_else_is_waited_for_after_priority_0() -> None:
    """[41]"""
    one = router(two_node=True)
    one.on_startup(0.0)
    one.on_advertisement(advert(0), 1.0)
    assert one.deadline == 1.0


@pytest.mark.parametrize(("preempt", "priority"), [(True, 100), (True, 200), (False, 1)])
def test_a_backup_adopts_the_interval_and_restarts_its_timer(preempt: bool, priority: int) -> None:
    """[31, 42]"""
    one = router(preempt=preempt)
    one.on_startup(0.0)
    one.on_advertisement(advert(priority, interval=0.1), 2.0)
    assert one.master_adver_interval == 0.1
    assert one.deadline == pytest.approx(2.3609375)


def test_with_preempt_mode_a_backup_discards_a_lower_advertisement() -> None:
    """[43]"""
    one = router(100)
    one.on_startup(0.0)
    one.on_advertisement(advert(99, interval=0.1), 2.0)
    assert one.deadline == pytest.approx(3.609375)
    assert one.master_adver_interval == 1.0


def test_addresses_do_not_break_ties_in_backup() -> None:
    """[44]"""
    one = router(100, address=50)
    one.on_startup(0.0)
    one.on_advertisement(advert(100, source=1), 2.0)
    assert one.deadline == pytest.approx(5.609375)


def test_a_master_leaves_with_priority_0() -> None:
    """[45]"""
    assert master().on_shutdown(2.0) == [
        SendAdvertisement("r", 0),
        StateChanged(MASTER, INITIALIZE, "shutdown"),
    ]


def test_a_master_advertises_every_interval_of_its_own() -> None:
    """[46]"""
    one = master()
    one.master_adver_interval = 7.0
    assert one.on_timer(1.9) == []
    assert one.on_timer(2.0) == [SendAdvertisement("r", 100)]
    assert one.deadline == 3.0


def test_a_master_answers_priority_0_at_once() -> None:
    """[47]"""
    one = master()
    assert one.on_advertisement(advert(0), 1.5) == [SendAdvertisement("r", 100)]
    assert one.deadline == 2.5


@pytest.mark.parametrize(("priority", "source"), [(101, 1), (100, 6), (255, 1)])
def test_a_master_yields_to_a_higher_priority_or_to_a_greater_address(priority: int, source: int) -> None:
    """[48, 50]"""
    one = master(100, address=5)
    one.preempt = False
    effects = one.on_advertisement(advert(priority, source, interval=0.5), 1.5)
    assert effects == [StateChanged(MASTER, BACKUP, "higher advertisement")]
    assert one.master_adver_interval == 0.5
    assert one.deadline == pytest.approx(1.5 + master_down_interval(100, 0.5))


@pytest.mark.parametrize(("priority", "source"), [(99, 200), (100, 4)])
def test_a_master_answers_any_other_advertisement_at_once(priority: int, source: int) -> None:
    """[49]"""
    one = master(100, address=5)
    assert one.on_advertisement(advert(priority, source), 1.5) == [SendAdvertisement("r", 100)]
    assert (one.state, one.deadline) == (MASTER, 2.5)


def test_an_advertisement_with_our_own_address_starts_no_storm() -> None:
    assert master(100, address=5).on_advertisement(advert(100, source=5), 1.5) == []


def test_initialize_hears_nothing() -> None:
    one = router()
    assert one.on_advertisement(advert(200), 1.0) == []
    assert one.on_timer(1.0) == []


def test_on_take_and_on_yield_move_without_priority_0() -> None:
    one = router()
    one.on_startup(0.0)
    assert one.on_yield(0.5, "x") == []
    assert one.on_take(1.0, "told") == [SendAdvertisement("r", 100), StateChanged(BACKUP, MASTER, "told")]
    assert one.on_take(1.1, "told") == []
    assert one.on_yield(1.2, "gone") == [StateChanged(MASTER, BACKUP, "gone")]
    assert one.deadline == pytest.approx(1.2 + 3.609375)


def test_a_master_says_a_new_effective_priority_at_once() -> None:
    one = master()
    assert one.on_priority(50, 1.5) == [SendAdvertisement("r", 50)]
    backup = router()
    backup.on_startup(0.0)
    assert backup.on_priority(50, 1.5) == []


@pytest.mark.parametrize(("vrid", "priority"), [(0, 100), (256, 100), (1, 0), (1, 256)])
def test_vrid_and_priority_are_within_section_5_2(vrid: int, priority: int) -> None:
    """[6]"""
    with pytest.raises(ValueError, match=r"not in 1\.\.255"):
        VirtualRouter(vrid=vrid, priority=priority, address=1)


@pytest.mark.parametrize("old", State)
@pytest.mark.parametrize("new", State)
def test_only_legal_moves(old: State, new: State) -> None:
    one = router()
    one.state = old
    if (old, new) in LEGAL:
        one._enter(new, "test")
        assert one.state is new
    else:
        with pytest.raises(IllegalTransitionError):
            one._enter(new, "test")
        assert one.state is old


def test_backup_takes_over_within_master_down_interval_of_a_power_cut() -> None:
    low, high = router(100, 1), router(200, 2)
    lan = VirtualLan(low, high)
    lan.start()
    lan.run(5)
    died = lan.now
    lan.kill(high)
    lan.run(5)
    at = next(t for t, who, change in lan.log if who == 1 and change.new is MASTER)
    assert at - died <= 3 * 1.0 + (256 - 100) / 256


@pytest.mark.parametrize("preempt", [True, False])
def test_a_returning_higher_priority_router_preempts_only_if_told_to(preempt: bool) -> None:
    low, high = router(100, 1), router(200, 2, preempt=preempt)
    lan = VirtualLan(low, high)
    lan.start(low)
    lan.run(10)
    lan.start(high)
    lan.run(10)
    assert lan.masters() == ([2] if preempt else [1])
    assert (low.state is BACKUP) is preempt


def version_2(priority: int = 100, address: int = 1) -> VirtualRouter:
    return VirtualRouter(vrid=51, priority=priority, address=address, interval=5.0, version=2, name="r")


def test_in_version_2_skew_time_is_a_part_of_a_second() -> None:
    """[27]: RFC 3768 section 6.1"""
    one = version_2()
    one.on_startup(0.0)
    assert one.deadline == pytest.approx(15.609375)
    one.on_advertisement(advert(0, interval=5.0), 1.0)
    assert one.deadline == pytest.approx(1.609375)


def test_in_version_2_a_master_discards_any_other_advertisement_in_silence() -> None:
    """[49]: RFC 3768 section 6.4.3"""
    one = version_2(address=5)
    one.on_startup(0.0)
    one.on_take(1.0, "test")
    assert one.on_advertisement(advert(99, 200, interval=5.0), 1.5) == []
    assert (one.state, one.deadline) == (MASTER, 6.0)


def test_preempt_delay_is_counted_from_the_first_lower_advertisement() -> None:
    one = VirtualRouter(vrid=51, priority=100, address=1, preempt_delay=5.0, name="r")
    one.on_startup(0.0)
    for at in (1.0, 2.0, 3.0, 4.0, 5.0):
        one.on_advertisement(advert(50), at)
        assert one.deadline == pytest.approx(at + 3.609375)
    one.on_advertisement(advert(50), 6.0)  # five seconds after the first: the timer runs on
    assert one.deadline == pytest.approx(8.609375)
    one.on_advertisement(advert(50), 7.0)
    assert one.on_timer(8.61)[-1] == StateChanged(BACKUP, MASTER, "master down timer")


def test_preempt_delay_begins_anew_when_a_better_master_was_there_meanwhile() -> None:
    one = VirtualRouter(vrid=51, priority=100, address=1, preempt_delay=5.0, name="r")
    one.on_startup(0.0)
    one.on_advertisement(advert(50), 1.0)
    one.on_advertisement(advert(150), 4.0)
    one.on_advertisement(advert(50), 6.5)
    assert one.deadline == pytest.approx(6.5 + 3.609375)


def test_preempt_delay_does_not_hold_up_a_takeover_from_a_master_that_leaves() -> None:
    one = VirtualRouter(vrid=51, priority=100, address=1, preempt_delay=50.0, two_node=True, name="r")
    one.on_startup(0.0)
    one.on_advertisement(advert(50), 1.0)
    one.on_advertisement(advert(0), 1.5)
    assert one.deadline == 1.5
