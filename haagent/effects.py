"""Sans-IO: every effect that the node may ask the guard to carry out, in the order given.

`router` is the name of a virtual router in the configuration.
"""

from dataclasses import dataclass
from enum import StrEnum


class NodeRole(StrEnum):
    """The role of the whole machine; its value is the word that status and history show."""

    INIT = "INIT"
    BACKUP = "BACKUP"
    MASTER = "MASTER"
    FAULT = "FAULT"


@dataclass(slots=True)
class SendAdvertisement:
    """Send the prebuilt frame of this priority (0: we leave)."""

    router: str
    priority: int


@dataclass(slots=True)
class TakeVip:
    """Carry out the VIP plan for the master: lease first, then the addresses. Idempotent."""

    router: str


@dataclass(slots=True)
class ReleaseVip:
    """Carry out the VIP plan for the backup: addresses away, lease dropped. Idempotent."""

    router: str


@dataclass(slots=True)
class Announce:
    """Send the prebuilt gratuitous ARPs and neighbour advertisements of all VIPs once."""

    router: str


@dataclass(slots=True)
class RefreshLease:
    """Renew the kernel's leases, all in one; if they had lapsed already, call `Node.on_lease_lapsed`."""

    router: str


@dataclass(slots=True)
class SendPeer:
    """Send on the peer channel's TCP connection."""

    data: bytes


@dataclass(slots=True)
class SendHello:
    """Send to the peer's UDP port."""

    data: bytes


@dataclass(slots=True)
class ClosePeer:
    """Close the peer channel's TCP connection after what was sent; make a new one after a pause."""

    reason: str


@dataclass(slots=True)
class AskWitness:
    """Ask whether this node may take over; the answer comes by `Node.on_witness`. `epoch`: what we know."""

    epoch: int


@dataclass(slots=True)
class RoleChanged:
    """Tell the SIP core and the history; store the epoch. An epoch that only grew keeps its role."""

    role: NodeRole
    epoch: int
    reason: str


@dataclass(slots=True)
class CommandAnswered:
    """The answer to the command just given; `refusal` is None when it is accepted."""

    refusal: str | None


@dataclass(slots=True)
class Stopped:
    """A shutdown is complete: nothing of ours is left, the process may end."""


@dataclass(slots=True)
class Alarm:
    """An operator should look at this."""

    text: str


@dataclass(slots=True)
class Note:
    """Worth a line in the log."""

    text: str


Effect = (
    SendAdvertisement
    | TakeVip
    | ReleaseVip
    | Announce
    | RefreshLease
    | SendPeer
    | SendHello
    | ClosePeer
    | AskWitness
    | RoleChanged
    | CommandAnswered
    | Stopped
    | Alarm
    | Note
)
