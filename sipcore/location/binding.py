"""Sans-IO: one contact of an address-of-record and the record that holds them, RFC 3261 section 10.3."""

from enum import IntFlag

from sipcore.transport.layer import Hop


class Flag(IntFlag):
    """Marks of a binding; the numbers stand on the replication wire."""

    NAT = 1  # the REGISTER came from another address than its Via said
    REMOVED = 2  # a tombstone: the contact was removed before its time


class Binding:
    """Where one contact is reached, until when, and by which REGISTER it was made.

    `rank` orders two versions of one contact: epoch, then the number of the change, then CSeq and Call-ID.
    While one node is master per epoch this is the order of registration; if two ever wrote in one epoch, both
    nodes still choose the same one.
    """

    __slots__ = (
        "call_id",
        "cseq",
        "epoch",
        "expires_at",
        "flags",
        "instance",
        "path",
        "q",
        "received",
        "uri",
        "user_agent",
        "version",
    )

    def __init__(
        self,
        uri: bytes,
        *,
        call_id: bytes,
        cseq: int,
        expires_at: float,
        q: float = 1.0,
        path: tuple[bytes, ...] = (),
        received: Hop | None = None,
        instance: bytes = b"",
        flags: int = 0,
        user_agent: bytes = b"",
        epoch: int = 0,
        version: int = 1,
    ) -> None:
        self.uri = uri  # as the phone wrote it in its Contact
        self.call_id = call_id
        self.cseq = cseq
        self.expires_at = expires_at  # monotonic seconds of this node
        self.q = q
        self.path = path  # Route set towards it, RFC 3327
        self.received = received  # behind NAT: the hop that its REGISTER came from
        self.instance = instance  # +sip.instance, RFC 5626
        self.flags = flags
        self.user_agent = user_agent
        self.epoch = epoch
        self.version = version  # changes of this contact so far

    @property
    def removed(self) -> bool:
        """Whether this is a tombstone."""
        return bool(self.flags & Flag.REMOVED)

    @property
    def rank(self) -> tuple[int, int, int, bytes, int]:
        """The greater one of two versions of a contact wins; a removal beats what it removed."""
        return self.epoch, self.version, self.cseq, self.call_id, self.flags & Flag.REMOVED

    def is_live(self, now: float) -> bool:
        """Whether requests may be sent to it."""
        return self.expires_at > now and not self.flags & Flag.REMOVED


class AorRecord:
    """The bindings of one address-of-record by contact URI, tombstones among them."""

    __slots__ = ("bindings",)

    def __init__(self) -> None:
        self.bindings: dict[bytes, Binding] = {}

    def live(self, now: float) -> list[Binding]:
        """Contacts that may be reached, highest q first; of equal q the one refreshed last first."""
        live = [binding for binding in self.bindings.values() if binding.is_live(now)]
        if len(live) > 1:
            live.sort(key=lambda binding: (-binding.q, -binding.expires_at))
        return live

    @property
    def next_expiry(self) -> float:
        """When the first binding or tombstone ends."""
        return min(binding.expires_at for binding in self.bindings.values())
