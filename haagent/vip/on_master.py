"""Sans-IO: strategy on-master: the VIP is configured on the master only, under a lease."""

from collections.abc import Sequence

from haagent.vip.step import Observed, Op, PlanRole, Step, Vip


def plan(role: PlanRole, vips: Sequence[Vip], observed: Observed) -> list[Step]:
    """Master: lease, virtual MAC, addresses, announce. Backup and out: addresses, MAC, lease away."""
    if role is PlanRole.MASTER:
        return _take(vips, observed)
    return _release(vips, observed)


def _take(vips: Sequence[Vip], observed: Observed) -> list[Step]:
    lease = [] if observed.shown else [Step(Op.SHOW)]
    missing = [Step(Op.ADD_ADDRESS, vip) for vip in vips if vip not in observed.present]
    mac = [Step(Op.RAISE)] if observed.raised is False else []
    return [*lease, *mac, *missing, Step(Op.ANNOUNCE)]


def _release(vips: Sequence[Vip], observed: Observed) -> list[Step]:
    """A foreign address stays, but without the lease nothing passes."""
    ours = observed.present - observed.foreign
    steps = [Step(Op.REMOVE_ADDRESS, vip) for vip in vips if vip in ours]
    mac = [Step(Op.LOWER)] if observed.raised else []
    return [*steps, *mac, Step(Op.HIDE)] if observed.shown else [*steps, *mac]
