"""Sans-IO: what an owner of data tells replication: how its records are packed, applied and listed."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Protocol, runtime_checkable

import msgspec

from sipcore.replication.digest import Stamps


class Kind(IntEnum):
    """What a record is about; the number stands on the wire and is never used again for another thing."""

    CONTACT = 1  # one record per AOR
    DIALOG = 2
    TRANSACTION = 3
    NONCE = 4
    ANSWER = 5  # the last answer to a request other than INVITE
    FLOW = 6  # the connection that has taken the place of another one
    BAN = 7  # who is banned, and whom pike blocks
    CACHE = 8  # entries of the in-process stores that are to be the same on both nodes
    CDR = 9  # call detail records that are not on a disk yet


class Capability(Protocol):
    """The records of one kind: the merge rule lives with the owner, replication only moves bytes.

    `version` grows when an older node could not read the records any more; a field appended with a default
    does not count. Two nodes with different versions of one kind refuse each other by name.
    """

    kind: Kind
    version: int

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The record as it is now (msgspec array-like, times as remaining seconds); None: deleted."""

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """Merge a peer's record; False when what is here is newer. Never touches the journal.

        `now` is this node's clock at the moment when the peer packed the record: a record that waited in a
        backlog carries its age with it. Raises msgspec.MsgspecError or ReplicationError on a bad payload.
        """

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """Carry out a peer's delete; it beats older updates, also those that arrive later (tombstone)."""

    def keys(self) -> list[bytes]:
        """All keys for a snapshot, also those of tombstones (`pack` gives None for them)."""


@runtime_checkable
class Digested(Protocol):
    """A capability whose records live long enough to be compared between the nodes.

    `stamps` has the version of each record, kept up to date by `changed`, `apply` and `delete`: two nodes
    that have told each other everything have equal ones.
    """

    stamps: Stamps

    def changed(self, key: bytes, epoch: int) -> None:
        """This node has changed the record, in this epoch: give it its next version, or forget its stamp.

        Called once per batch, before `pack`.
        """

    def restamp(self, key: bytes) -> None:
        """Make the stamp of this key anew from the record."""

    def ended(self, key: bytes) -> int:
        """The epoch in which the record was deleted; -1 when that is not known."""


@runtime_checkable
class Sliced(Protocol):
    """A capability with so many records that listing their keys at once would hold up the traffic."""

    def __len__(self) -> int:
        """About how many keys there are."""

    def parts(self) -> Iterator[list[bytes]]:
        """The keys in small lists, each read when it is asked for."""


class Record(msgspec.Struct, array_like=True, gc=False):
    """One change on the wire; `payload` None is a delete, in `epoch` or (-1) in that of the batch."""

    kind: int
    key: bytes
    payload: bytes | None = None
    epoch: int = -1
