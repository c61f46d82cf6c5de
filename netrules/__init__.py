"""IO shell: which packet rules and sysctls a virtual IP needs; shows, applies, checks and removes them."""

from netrules.errors import (
    BadInputError,
    LeaseLapsedError,
    MissingPrivilegeError,
    NftablesError,
    RulesError,
)
from netrules.health import Problem, check
from netrules.host import Step, apply, plan, remove
from netrules.iptables import IptablesFlip
from netrules.nftables import Flip, Nftables
from netrules.ruleset import Backend, Role, Ruleset, Strategy, Vip, desired

__all__ = [
    "Backend",
    "BadInputError",
    "Flip",
    "IptablesFlip",
    "LeaseLapsedError",
    "MissingPrivilegeError",
    "Nftables",
    "NftablesError",
    "Problem",
    "Role",
    "RulesError",
    "Ruleset",
    "Step",
    "Strategy",
    "Vip",
    "apply",
    "check",
    "desired",
    "plan",
    "remove",
]  # fmt: skip
