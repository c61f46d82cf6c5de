"""Sans-IO: the VIP plan: (strategy, role, observed kernel state) -> ordered steps, idempotent.

A plan may be interrupted after any step and made again from what is then observed: each step leaves a state
that is safe (an address without a lease is deaf, a hidden one silent), and only what is missing is planned.
ANNOUNCE leaves no trace in the kernel, so a plan for the master always ends with it; it is what the effect
Announce does.
"""

from collections.abc import Sequence
from enum import StrEnum

from haagent.vip import on_both, on_master
from haagent.vip.step import (
    ADDRESS_TAG,
    AddressSpec,
    Observed,
    Op,
    PlanRole,
    Step,
    Vip,
    address_spec,
)

__all__ = [
    "ADDRESS_TAG",
    "AddressSpec",
    "Observed",
    "Op",
    "PlanRole",
    "Step",
    "Strategy",
    "Vip",
    "address_spec",
    "plan",
]


class Strategy(StrEnum):
    """Where the VIP is configured while the node is backup."""

    ON_MASTER = "on-master"
    ON_BOTH = "on-both"


_PLANS = {Strategy.ON_MASTER: on_master.plan, Strategy.ON_BOTH: on_both.plan}


def plan(strategy: Strategy, role: PlanRole, vips: Sequence[Vip], observed: Observed) -> list[Step]:
    """The steps that are still missing, in the order in which to carry them out."""
    return _PLANS[strategy](role, vips, observed)
