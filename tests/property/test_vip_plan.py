"""A VIP plan may be interrupted after any step; made again from there it ends where it should, safely."""

from dataclasses import dataclass, field
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from haagent.vip.plan import Observed, Op, PlanRole, Step, Strategy, Vip, address_spec, plan

VIPS = [Vip(ip_address(text), "eth0") for text in ("10.88.0.100", "10.88.0.101", "fd88::100")]


@dataclass
class Kernel:
    """Addresses and one switch."""

    present: set[Vip] = field(default_factory=set)
    foreign: set[Vip] = field(default_factory=set)
    shown: bool = False
    raised: bool | None = None  # the virtual MAC; None: there is none

    def observe(self) -> Observed:
        return Observed(frozenset(self.present), frozenset(self.foreign), self.shown, self.raised)

    def carry_out(self, step: Step) -> None:
        if step.op in (Op.SHOW, Op.HIDE):
            self.shown = step.op is Op.SHOW
        elif step.op in (Op.RAISE, Op.LOWER):
            assert self.raised is (step.op is Op.LOWER)
            self.raised = step.op is Op.RAISE
        elif step.op is Op.ADD_ADDRESS and step.vip is not None:
            assert step.vip not in self.present
            assert self.raised is not False, "an IPv6 address on an interface that is down is not kept"
            self.present.add(step.vip)
        elif step.op is Op.REMOVE_ADDRESS and step.vip is not None:
            assert step.vip not in self.foreign
            self.present.remove(step.vip)

    def answers_for(self) -> set[Vip]:
        return set(self.present) if self.shown and self.raised is not False else set()


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    present = draw(st.sets(st.sampled_from(VIPS)))
    foreign = draw(st.sets(st.sampled_from(sorted(present, key=str)))) if present else set()
    return Kernel(present, foreign, draw(st.booleans()))


@st.composite
def kernels_with_a_virtual_mac(draw: st.DrawFn) -> Kernel:
    return Kernel(draw(st.sets(st.sampled_from(VIPS))), set(), draw(st.booleans()), draw(st.booleans()))


strategies = st.sampled_from(Strategy)
roles = st.sampled_from(PlanRole)


@given(
    strategy=strategies, role=roles, kernel=kernels(), interruptions=st.lists(st.integers(0, 4), max_size=4)
)
def test_an_interrupted_plan_made_again_ends_in_the_right_state(
    strategy: Strategy, role: PlanRole, kernel: Kernel, interruptions: list[int]
) -> None:
    for after in interruptions:
        for step in plan(strategy, role, VIPS, kernel.observe())[:after]:
            kernel.carry_out(step)
    for step in plan(strategy, role, VIPS, kernel.observe()):
        kernel.carry_out(step)
    if role is PlanRole.MASTER:
        assert kernel.answers_for() == set(VIPS)
    else:
        assert kernel.answers_for() == set()
        kept = set(VIPS) if (strategy, role) == (Strategy.ON_BOTH, PlanRole.BACKUP) else kernel.foreign
        assert kernel.present == kept


@given(role=roles, kernel=kernels_with_a_virtual_mac(), interruptions=st.lists(st.integers(0, 4), max_size=4))
def test_a_virtual_mac_is_up_with_the_master_alone_however_often_the_plan_is_interrupted(
    role: PlanRole, kernel: Kernel, interruptions: list[int]
) -> None:
    for after in [*interruptions, None]:
        for step in plan(Strategy.ON_MASTER, role, VIPS, kernel.observe())[:after]:
            kernel.carry_out(step)
    assert kernel.raised is (role is PlanRole.MASTER)
    assert kernel.answers_for() == (set(VIPS) if role is PlanRole.MASTER else set())
    assert kernel.present == kernel.answers_for()


@given(strategy=strategies, role=roles, kernel=kernels())
def test_each_step_only_moves_towards_the_role(strategy: Strategy, role: PlanRole, kernel: Kernel) -> None:
    answered = len(kernel.answers_for())
    for step in plan(strategy, role, VIPS, kernel.observe()):
        kernel.carry_out(step)
        now = len(kernel.answers_for())
        assert now >= answered if role is PlanRole.MASTER else now <= answered
        answered = now


@given(strategy=strategies, role=roles, kernel=kernels())
def test_a_plan_that_was_carried_out_leaves_nothing_but_the_announcement(
    strategy: Strategy, role: PlanRole, kernel: Kernel
) -> None:
    for step in plan(strategy, role, VIPS, kernel.observe()):
        kernel.carry_out(step)
    again = plan(strategy, role, VIPS, kernel.observe())
    assert again == ([Step(Op.ANNOUNCE)] if role is PlanRole.MASTER else [])


@given(strategy=strategies, kernel=kernels())
def test_nothing_is_announced_before_every_address_answers(strategy: Strategy, kernel: Kernel) -> None:
    for step in plan(strategy, PlanRole.MASTER, VIPS, kernel.observe()):
        if step.op is Op.ANNOUNCE:
            assert kernel.answers_for() == set(VIPS)
        kernel.carry_out(step)


def test_addresses_are_host_addresses_and_ipv6_is_never_a_source() -> None:
    four, six = address_spec(VIPS[0].address), address_spec(VIPS[2].address)
    assert (four.prefix, four.nodad, four.preferred_lifetime, four.tag) == (32, False, None, 0x51)
    assert (six.prefix, six.nodad, six.preferred_lifetime) == (128, True, 0)
