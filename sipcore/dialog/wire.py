"""Sans-IO: a dialog as it stands on the replication channel; all times relative."""

from math import inf
from typing import Annotated

import msgspec

from sipcore.dialog.dialog import Dialog, EndReason, Leg, More, State, dialog_key
from sipcore.dialog.settings import Accounting, Side
from sipcore.transport.layer import Hop

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Seconds = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


class WireLeg(msgspec.Struct, array_like=True, gc=False):
    """One called party; new fields go to the end, with a default."""

    tag: bytes
    state: State
    contact: bytes
    route_set: tuple[bytes, ...]
    cseq: int
    hop: Hop | None = None


class WireMore(msgspec.Struct, array_like=True, gc=False):
    """What most dialogs do not have; new fields go to the end, with a default."""

    profiles: tuple[tuple[str, str], ...] = ()
    values: dict[str, str] = {}
    lifetime: Seconds = 0.0
    pings: int = 0
    session_expires: int = 0
    session_in: Seconds | None = None
    session_wanted: int = 0
    refresher: int = 0
    reason: EndReason | None = None
    accounting: int | None = None
    over: tuple[bytes, ...] = ()


class WireDialog(msgspec.Struct, array_like=True, gc=False):
    """A dialog; new fields go to the end, with a default."""

    call_id: bytes
    from_tag: bytes
    state: State
    from_uri: bytes
    to_uri: bytes
    contact: bytes
    route_set: tuple[bytes, ...]
    cseq: int
    legs: list[WireLeg]
    age: Seconds
    remaining: Seconds
    hop: Hop | None = None
    answered_age: Seconds | None = None
    branch: bytes = b""
    more: WireMore | None = None
    invite_cseq: int = 0
    epoch: Count = 0  # with `change` its version; 0: from an older node
    change: Count = 0

    def grow_old(self, seconds: float) -> None:
        """Time has passed since it was packed."""
        self.age += seconds
        self.remaining -= seconds
        if self.answered_age is not None:
            self.answered_age += seconds
        if self.more is not None and self.more.session_in is not None:
            self.more.session_in -= seconds


def to_wire(dialog: Dialog, now: float) -> WireDialog:
    """The record of a dialog; times relative to `now`."""
    legs = [WireLeg(leg.tag, leg.state, leg.contact, leg.route_set, leg.cseq, leg.hop) for leg in dialog.legs]
    return WireDialog(
        call_id=dialog.call_id,
        from_tag=dialog.from_tag,
        state=dialog.state,
        from_uri=dialog.from_uri,
        to_uri=dialog.to_uri,
        contact=dialog.contact,
        route_set=dialog.route_set,
        cseq=dialog.cseq,
        legs=legs,
        age=now - dialog.started_at,
        remaining=dialog.expires_at - now,
        hop=dialog.hop,
        answered_age=now - dialog.answered_at if dialog.answered_at else None,
        branch=dialog.branch,
        more=None if dialog.more is None else _more_to_wire(dialog.more, now),
        invite_cseq=dialog.invite_cseq,
        epoch=dialog.epoch,
        change=dialog.change,
    )


def from_wire(wire: WireDialog, now: float) -> Dialog:
    """The dialog of a record."""
    key = dialog_key(wire.call_id, wire.from_tag)
    dialog = Dialog(key, wire.from_tag, now - wire.age, now + wire.remaining)
    dialog.state = wire.state
    dialog.from_uri = wire.from_uri
    dialog.to_uri = wire.to_uri
    dialog.contact = wire.contact
    dialog.route_set = wire.route_set
    dialog.cseq = wire.cseq
    dialog.invite_cseq = wire.invite_cseq
    dialog.hop = wire.hop
    dialog.answered_at = now - wire.answered_age if wire.answered_age is not None else 0.0
    dialog.branch = wire.branch
    dialog.legs = tuple(_leg_from_wire(leg) for leg in wire.legs)
    dialog.more = None if wire.more is None else _more_from_wire(wire.more, now)
    dialog.epoch = wire.epoch
    dialog.change = wire.change
    return dialog


def _leg_from_wire(wire: WireLeg) -> Leg:
    leg = Leg(wire.tag, wire.state)
    leg.contact = wire.contact
    leg.route_set = wire.route_set
    leg.cseq = wire.cseq
    leg.hop = wire.hop
    return leg


def _more_to_wire(more: More, now: float) -> WireMore:
    return WireMore(
        profiles=more.profiles,
        values=more.values,
        lifetime=more.lifetime,
        pings=int(more.pings),
        session_expires=more.session_expires,
        session_in=more.session_at - now if more.session_at < inf else None,
        session_wanted=more.session_wanted,
        refresher=int(more.refresher),
        reason=more.reason,
        accounting=None if more.accounting is None else int(more.accounting),
        over=more.over,
    )


def _more_from_wire(wire: WireMore, now: float) -> More:
    more = More()
    more.profiles = wire.profiles
    more.values = wire.values
    more.lifetime = wire.lifetime
    more.pings = Side(wire.pings & 3)
    more.session_expires = wire.session_expires
    more.session_at = now + wire.session_in if wire.session_in is not None else inf
    more.session_wanted = wire.session_wanted
    more.refresher = Side(wire.refresher & 3)
    more.reason = wire.reason
    more.accounting = None if wire.accounting is None else Accounting(wire.accounting & 3)
    more.over = wire.over
    return more
