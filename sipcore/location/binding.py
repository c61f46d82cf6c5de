"""Sans-IO: one contact of an address-of-record and the record that holds them, RFC 3261 section 10.3."""

from enum import IntFlag

from sipcore.transport.layer import Hop


class Flag(IntFlag):
    """Marks of a binding; the numbers stand on the replication wire."""

    NAT = 1  # the REGISTER came from another address than its Via said
    REMOVED = 2  # a tombstone: the contact was removed before its time
    FLOW_GONE = 4  # the connection that it is reached over is closed; the next REGISTER brings a new one


# Plain numbers: an operation on a Flag costs a microsecond.
NAT, REMOVED, FLOW_GONE = int(Flag.NAT), int(Flag.REMOVED), int(Flag.FLOW_GONE)
_CANNOT_DIAL = ("ws", "wss")  # a browser takes no connections, RFC 7118 section 5


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
        "gone",
        "instance",
        "params",
        "path",
        "q",
        "received",
        "reg_id",
        "updated_at",
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
        reg_id: int = 0,
        params: bytes = b"",
        flags: int = 0,
        user_agent: bytes = b"",
        epoch: int = 0,
        version: int = 1,
        updated_at: float = 0.0,
    ) -> None:
        self.uri = uri  # as the phone wrote it in its Contact
        self.call_id = call_id
        self.cseq = cseq
        self.expires_at = expires_at  # monotonic seconds of this node
        self.q = q
        self.path = path  # Route set towards it, RFC 3327
        self.received = received  # behind NAT or over a connection: the hop that its REGISTER came from
        self.gone: Hop | None = None  # the connection that it had, on the node that was master
        self.instance = instance  # +sip.instance without its quotes, RFC 5626
        self.reg_id = reg_id  # the flow of that instance, RFC 5626; 0: none
        self.params = params  # what else stood beside the URI: capabilities of RFC 3840, `;name=value...`
        self.flags = flags
        self.user_agent = user_agent
        self.epoch = epoch
        self.version = version  # changes of this contact so far
        self.updated_at = updated_at  # monotonic seconds of the last REGISTER

    @property
    def key(self) -> bytes:
        """What makes it one contact of its AOR: the URI, or instance and reg-id (RFC 5626 section 6)."""
        return b"%b;reg-id=%d" % (self.instance, self.reg_id) if self.reg_id else self.uri

    @property
    def removed(self) -> bool:
        """Whether this is a tombstone."""
        return self.flags & REMOVED != 0

    @property
    def rank(self) -> tuple[int, int, int, bytes, int]:
        """The greater one of two versions of a contact wins; a removal beats what it removed."""
        return self.epoch, self.version, self.cseq, self.call_id, self.flags & REMOVED

    def is_live(self, now: float) -> bool:
        """Whether it is registered."""
        return self.expires_at > now and not self.flags & REMOVED

    def is_reachable(self, now: float) -> bool:
        """Whether requests may be sent to it."""
        return self.expires_at > now and not self.flags & (REMOVED | FLOW_GONE)

    def lose_flow(self) -> None:
        """The connection is gone: dial the contact from now on, or wait for the phone where that fails."""
        self.gone = self.received
        if self.flags & NAT or self.reg_id or (self.received and self.received.transport in _CANNOT_DIAL):
            self.flags |= FLOW_GONE
        else:
            self.received = None


class AorRecord:
    """The bindings of one address-of-record by `Binding.key`, tombstones among them."""

    __slots__ = ("bindings", "due")

    def __init__(self) -> None:
        self.bindings: dict[bytes, Binding] = {}
        self.due = 0  # the second in which the table looks for what has ended; 0: none

    def live(self, now: float) -> list[Binding]:
        """Contacts that are registered, highest q first; of equal q the one refreshed last first."""
        live = [binding for binding in self.bindings.values() if binding.is_live(now)]
        if len(live) > 1:
            live.sort(key=_order)
        return live

    def targets(self, now: float, *, gone_too: bool = False) -> list[Binding]:
        """Contacts that can be reached, in the order of `live`; of one instance that may be several flows.

        `gone_too`: also those whose connection is gone, unless their instance has another one.
        """
        found = [binding for binding in self.bindings.values() if binding.is_reachable(now)]
        if gone_too:
            there = {binding.instance for binding in found if binding.reg_id}
            found += [b for b in self.bindings.values() if _may_return(b, now) and b.instance not in there]
        if len(found) > 1:
            found.sort(key=_order)
        return found

    @property
    def next_expiry(self) -> float:
        """When the first binding or tombstone ends."""
        return min(binding.expires_at for binding in self.bindings.values())


def is_same_phone(old: Binding, new: Binding) -> bool:
    """Whether a contact that lost its connection and one that is new, of one AOR, are the same phone.

    By its instance, RFC 5626; else by the user part of its Contact, its address and its User-Agent.
    """
    if old.gone is None or old.removed or new.received is None:
        return False
    if old.instance or new.instance:
        return old.instance == new.instance and old.reg_id == new.reg_id
    users = [b.uri.rpartition(b"@")[0] for b in (old, new)]
    return (
        users[0] == users[1]
        and old.gone.host == new.received.host
        and old.gone.transport == new.received.transport
        and old.user_agent == new.user_agent
    )


def by_instance(bindings: list[Binding]) -> list[list[Binding]]:
    """The flows of each that is to ring, the one that registered last first, RFC 5626 section 7."""
    if not any(binding.reg_id for binding in bindings):
        return [[binding] for binding in bindings]
    flows: dict[bytes, list[Binding]] = {}
    for binding in sorted(bindings, key=_age, reverse=True):
        if binding.reg_id:
            flows.setdefault(binding.instance, []).append(binding)
    return [
        flows[b.instance] if b.reg_id else [b] for b in bindings if not b.reg_id or flows[b.instance][0] is b
    ]


def _order(binding: Binding) -> tuple[float, float]:
    return -binding.q, -binding.expires_at


def _may_return(binding: Binding, now: float) -> bool:
    return binding.flags & FLOW_GONE != 0 and binding.is_live(now)


def _age(binding: Binding) -> float:
    return binding.updated_at
