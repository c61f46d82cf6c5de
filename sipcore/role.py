"""Sans-IO: whether this node may act now: send, expire, ping. One answer for all layers."""

from enum import IntEnum

from sipcore.errors import StaleEpochError


class Role(IntEnum):
    """What the agent has told this core to be."""

    BACKUP = 0
    MASTER = 1


BACKUP, MASTER = Role


class RoleGate:
    """Role and epoch of this node; the epoch only grows."""

    __slots__ = ("epoch", "is_master", "node", "role")

    def __init__(self, node: str) -> None:
        self.node = node
        self.role = BACKUP
        self.epoch = 0
        self.is_master = False

    def change(self, role: Role, epoch: int) -> bool:
        """Take a role; False when it is the present one.  An epoch older than the known one is refused."""
        if epoch < self.epoch:
            raise StaleEpochError(f"epoch {epoch} is older than {self.epoch}, which this core has already")
        changed = role is not self.role or epoch != self.epoch
        self.role, self.epoch, self.is_master = role, epoch, role is MASTER
        return changed
