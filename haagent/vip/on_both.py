"""Sans-IO: strategy on-both: the VIP is configured on both nodes, and packet rules hide it on the backup."""

from collections.abc import Sequence

from haagent.vip.step import Observed, Op, PlanRole, Step, Vip


def plan(role: PlanRole, vips: Sequence[Vip], observed: Observed) -> list[Step]:
    """Master: addresses, show, announce. Backup: hide, addresses. Out: hide, addresses away."""
    missing = [Step(Op.ADD_ADDRESS, vip) for vip in vips if vip not in observed.present]
    if role is PlanRole.MASTER:
        show = [] if observed.shown else [Step(Op.SHOW)]
        return [*missing, *show, Step(Op.ANNOUNCE)]
    hide = [Step(Op.HIDE)] if observed.shown else []
    if role is PlanRole.BACKUP:
        return [*hide, *missing]
    ours = observed.present - observed.foreign
    return [*hide, *(Step(Op.REMOVE_ADDRESS, vip) for vip in vips if vip in ours)]
