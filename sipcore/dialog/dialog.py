"""Sans-IO: a dialog as the proxy sees it, RFC 3261 section 12, with the states of OpenSIPS."""

import re
from enum import IntEnum
from hashlib import blake2b
from math import inf

from sipcore.dialog.settings import Accounting, Side
from sipcore.errors import ParseError
from sipcore.message import Message, NameAddr
from sipcore.message.params import split_values
from sipcore.transport.layer import Hop

MAX_LEGS = 16


class State(IntEnum):
    """The states of OpenSIPS's dialog module; the numbers stand on the replication wire and only grow."""

    UNCONFIRMED = 1  # INVITE seen
    EARLY = 2  # provisional response with a To tag seen
    CONFIRMED_NA = 3  # 2xx seen, no ACK yet
    CONFIRMED = 4
    DELETED = 5


UNCONFIRMED, EARLY, CONFIRMED_NA, CONFIRMED, DELETED = State

LEGAL: dict[State, tuple[State, ...]] = {
    UNCONFIRMED: (EARLY, CONFIRMED_NA, DELETED),
    EARLY: (CONFIRMED_NA, DELETED),
    CONFIRMED_NA: (CONFIRMED, DELETED),
    CONFIRMED: (DELETED,),
    DELETED: (),
}


class EndReason(IntEnum):
    """Why a dialog has ended; the numbers stand on the replication wire."""

    BYE = 1  # one side hung up
    FAILED = 2  # no 2xx to the INVITE
    LIFETIME = 3
    NO_ACK = 4
    SESSION_EXPIRED = 5  # RFC 4028: nobody refreshed the session
    PING_FAILED = 6
    OPERATOR = 7
    SCRIPT = 8
    PEER = 9  # the other node of the pair said so
    EARLY_TIMEOUT = 10  # neither answered nor refused


class Leg:
    """One called party: a forked INVITE may make several."""

    __slots__ = ("contact", "cseq", "hop", "route_set", "state", "tag")

    def __init__(self, tag: bytes, state: State = EARLY) -> None:
        self.tag = tag  # To tag of the responses to the INVITE
        self.state = state
        self.contact = b""
        self.route_set: tuple[bytes, ...] = ()  # towards it, the nearest proxy first, without ourselves
        self.cseq = 0  # of its own requests
        self.hop: Hop | None = None  # where it is reached when its Contact does not say


class More:
    """What most dialogs do not have; made when the first of it is needed."""

    __slots__ = (
        "accounting", "lifetime", "misses", "over", "ping_at", "pinged", "pings", "profiles", "reason",
        "refresher", "session_at", "session_expires", "session_wanted", "told", "values",
    )  # fmt: skip

    def __init__(self) -> None:
        self.profiles: tuple[tuple[str, str], ...] = ()  # profile, value
        self.values: dict[str, str] = {}
        self.lifetime = 0.0  # wanted by the script; 0: that of the config
        self.pings = Side(0)  # wanted by the script
        self.pinged = Side(0)  # no answer yet
        self.misses = 0  # pings in a row that could not be sent
        self.ping_at = inf
        self.session_expires = 0  # seconds, RFC 4028; 0: no session timer
        self.session_at = inf
        self.session_wanted = 0  # what the script wants to be asked for
        self.refresher = Side(0)
        self.reason: EndReason | None = None  # it is being ended
        self.over: tuple[bytes, ...] = ()  # tags of legs that have ended while others go on
        self.told = False  # by this node: BYE or CANCEL is on its way
        self.accounting: Accounting | None = None  # wanted by the script; None: that of the config


class Dialog:
    """A call: the caller's side and one leg per called party; `state` is that of the leg that is furthest."""

    __slots__ = (
        "answered_at", "branch", "change", "contact", "cseq", "due", "epoch", "expires_at", "from_tag",
        "from_uri", "hop", "invite_cseq", "key", "legs", "more", "route_set", "started_at", "state", "to_uri",
    )  # fmt: skip

    def __init__(self, key: bytes, from_tag: bytes, started_at: float, expires_at: float) -> None:
        self.key = key  # its name in the table and on the replication channel
        self.from_tag = from_tag
        self.started_at = started_at
        self.answered_at = 0.0  # 0: not yet
        self.expires_at = expires_at
        self.from_uri = b""
        self.to_uri = b""
        self.contact = b""  # of the caller
        self.route_set: tuple[bytes, ...] = ()  # Record-Route of the INVITE, as it came
        self.cseq = 0  # of the caller
        self.invite_cseq = 0  # of the INVITE: a caller may try again with the same Call-ID and tag
        self.hop: Hop | None = None  # where the caller is reached when its Contact does not say
        self.branch = b""  # of the INVITE's top Via until it is answered: tells a spiral from the first pass
        self.state = UNCONFIRMED
        self.legs: tuple[Leg, ...] = ()
        self.due = 0  # the second in which it is looked at (Deadlines)
        self.more: More | None = None
        self.epoch = 0  # in which it was changed last
        self.change = 0  # how often it was changed

    @property
    def call_id(self) -> bytes:
        """The Call-ID of both sides."""
        return self.key[: -len(self.from_tag) - 1]

    @property
    def did(self) -> str:
        """A short name for events and operators, the same on both nodes of a pair."""
        return blake2b(self.key, digest_size=6).hexdigest()

    def leg(self, tag: bytes) -> Leg | None:
        """The called party with this tag."""
        for leg in self.legs:
            if leg.tag == tag:
                return leg
        return None

    def hops(self) -> list[Hop]:
        """Where its ends are reached when their Contact does not say."""
        hops = [self.hop, *(leg.hop for leg in self.legs)]
        return [hop for hop in hops if hop is not None]

    def add_leg(self, leg: Leg) -> bool:
        """When there are too many, the early one that came first goes.

        False: all have answered, or this one has ended, and its answer has crossed the BYE.
        """
        legs = self.legs
        if self.more is not None and leg.tag in self.more.over:
            return False
        if len(legs) >= MAX_LEGS:
            early = next((known for known in legs if known.state is EARLY), None)
            if early is None:
                return False
            legs = tuple(known for known in legs if known is not early)
        self.legs = (*legs, leg)
        return True

    def end_leg(self, leg: Leg) -> None:
        """This called party has hung up, others have not."""
        more = self.extra()
        more.over = (*more.over, leg.tag)[-MAX_LEGS:]
        self.legs = tuple([known for known in self.legs if known is not leg])

    def extra(self) -> More:
        """What most dialogs do not have, to write to."""
        if self.more is None:
            self.more = More()
        return self.more

    def value(self, name: str) -> str | None:
        """What `store_value` kept under this name (fetch_dlg_value)."""
        return self.more.values.get(name) if self.more is not None else None

    def row(self, now: float) -> dict[str, object]:
        """What an operator sees of it."""
        more = self.more or More()
        return {
            "did": self.did,
            "call_id": self.call_id.decode("utf-8", "replace"),
            "from": self.from_uri.decode("utf-8", "replace"),
            "to": self.to_uri.decode("utf-8", "replace"),
            "state": self.state.name,
            "legs": len(self.legs),
            "age": round(now - self.started_at, 3),
            "expires": round(min(self.expires_at, more.session_at) - now, 3),
            "session_expires": more.session_expires or None,
            "refresher": more.refresher.name,
            "profiles": [f"{name}={value}" if value else name for name, value in more.profiles],
            "values": more.values,
        }


def dialog_key(call_id: bytes, caller_tag: bytes) -> bytes:
    """Neither a Call-ID nor a tag holds a space."""
    return call_id + b" " + caller_tag


_USUAL = re.compile(rb'[^:]++: *+(?:"[^"\\<>]*+" ?|[^"<>;:,\\]*+)<([A-Za-z][A-Za-z0-9+.-]*+:[^<>" \t]++)>')


def address(message: Message, header: bytes) -> bytes:
    """The URI of the name-addr in the first line of this header; b"" when there is none."""
    line = message.first_lines.get(header)
    usual = _USUAL.match(line) if line is not None else None
    return usual[1] if usual is not None else uri_of(message.first(header))


def uri_of(value: bytes | None) -> bytes:
    """The URI of a name-addr; b"" when there is none."""
    if value and value[:1] == b"<" and value.find(b">") == len(value) - 1:
        return value[1:-1]
    try:
        return NameAddr.parse(split_values(value)[0]).uri if value else b""
    except ParseError:
        return b""
