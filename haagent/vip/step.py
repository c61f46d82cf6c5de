"""Sans-IO: the steps of a VIP plan, and what is observed of the kernel to make one."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Address

ADDRESS_TAG = 0x51  # IFA_PROTO of the addresses that this agent has added


class PlanRole(StrEnum):
    """For whom the plan is; OUT: the agent leaves and takes its things along."""

    MASTER = "master"
    BACKUP = "backup"
    OUT = "out"


class Op(IntEnum):
    """One operation on the kernel."""

    SHOW = 1  # the lease (and with on-both the hidden sets), one transaction
    HIDE = 2
    ADD_ADDRESS = 3
    REMOVE_ADDRESS = 4
    ANNOUNCE = 5
    RAISE = 6  # the interface with the virtual MAC
    LOWER = 7


@dataclass(frozen=True, slots=True)
class Vip:
    """A virtual address on its interface."""

    address: IPv4Address | IPv6Address
    interface: str


@dataclass(frozen=True, slots=True)
class AddressSpec:
    """How an address is added: /32, or /128 without duplicate detection and never chosen as a source."""

    prefix: int
    nodad: bool
    preferred_lifetime: int | None  # None: for ever
    tag: int = ADDRESS_TAG


@dataclass(frozen=True, slots=True)
class Step:
    """One step; only those on an address have a VIP, the others are about all VIPs of the plan."""

    op: Op
    vip: Vip | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What the kernel holds now, of the plan's VIPs."""

    present: frozenset[Vip]  # addresses that are configured
    foreign: frozenset[Vip]  # of these, the ones without our tag: never removed by us
    shown: bool  # traffic may pass: the lease lives and nothing is hidden
    raised: bool | None = None  # whether the interface with the virtual MAC is up; None: there is none


def address_spec(address: IPv4Address | IPv6Address) -> AddressSpec:
    """IPv6: DAD would fail against the old master; lifetime 0 keeps it from being chosen as a source."""
    if address.version == 4:
        return AddressSpec(prefix=32, nodad=False, preferred_lifetime=None)
    return AddressSpec(prefix=128, nodad=True, preferred_lifetime=0)
