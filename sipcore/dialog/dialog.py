"""Sans-IO: a dialog as the proxy sees it, RFC 3261 section 12, with the states of OpenSIPS."""

from enum import IntEnum

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Request, Response
from sipcore.timers import Timer


class State(IntEnum):
    """The states of OpenSIPS's dialog module; the numbers stand on the replication wire and only grow."""

    UNCONFIRMED = 1  # INVITE seen
    EARLY = 2  # provisional response with a To tag seen
    CONFIRMED_NA = 3  # 2xx seen, no ACK yet
    CONFIRMED = 4
    DELETED = 5


UNCONFIRMED, EARLY, CONFIRMED_NA, CONFIRMED, DELETED = State


class Leg:
    """One called party: a forked INVITE may make several."""

    __slots__ = ("contact", "cseq", "route_set", "state", "tag")

    def __init__(self, tag: bytes, state: State = EARLY) -> None:
        self.tag = tag  # To tag of the responses to the INVITE
        self.state = state
        self.contact = b""
        self.route_set: tuple[bytes, ...] = ()  # Record-Route of the response, as it passed here
        self.cseq = 0  # of its own requests


class Dialog:
    """A call: the caller's side and one leg per called party; `state` is that of the leg that is furthest."""

    __slots__ = (
        "call_id", "contact", "cseq", "expires_at", "from_tag", "from_uri", "legs", "route_set", "started_at",
        "state", "timer", "to_uri",
    )  # fmt: skip

    def __init__(self, call_id: bytes, from_tag: bytes, started_at: float, expires_at: float) -> None:
        self.call_id = call_id
        self.from_tag = from_tag
        self.started_at = started_at
        self.expires_at = expires_at
        self.from_uri = b""
        self.to_uri = b""
        self.contact = b""  # of the caller
        self.route_set: tuple[bytes, ...] = ()  # Record-Route of the INVITE, as it came
        self.cseq = 0  # of the caller
        self.state = UNCONFIRMED
        self.legs: dict[bytes, Leg] = {}
        self.timer: Timer | None = None

    @property
    def key(self) -> bytes:
        """Its name in the table and on the replication channel."""
        return dialog_key(self.call_id, self.from_tag)

    def row(self, now: float) -> dict[str, object]:
        """What an operator sees of it."""
        return {
            "call_id": self.call_id.decode("utf-8", "replace"),
            "from": self.from_uri.decode("utf-8", "replace"),
            "to": self.to_uri.decode("utf-8", "replace"),
            "state": self.state.name,
            "legs": len(self.legs),
            "age": round(now - self.started_at, 3),
            "expires": round(self.expires_at - now, 3),
        }

    def read_invite(self, invite: Request) -> None:
        """Take over the caller's side of an initial INVITE, section 12.1.1."""
        self.from_uri = address(invite.first(b"from"))
        self.to_uri = address(invite.first(b"to"))
        self.contact = address(invite.first(b"contact"))
        self.route_set = tuple(invite.lines(b"record-route"))
        self.cseq = invite.cseq

    def read_response(self, response: Response) -> bool:
        """Take over a provisional or 2xx response with a To tag, section 12.1.2; True when that was news."""
        leg = self.legs.get(response.to_tag)
        state = EARLY if response.status < 200 else CONFIRMED_NA
        if leg is None:
            leg = self.legs[response.to_tag] = Leg(response.to_tag)
            leg.route_set = tuple(response.lines(b"record-route"))
        elif leg.state >= state:
            return False
        leg.state = state
        leg.contact = address(response.first(b"contact")) or leg.contact
        self.state = max(self.state, state)
        return True

    def end_leg(self, tag: bytes) -> None:
        """A BYE: its leg is over; without another answered leg so is the dialog."""
        self.legs.pop(tag, None)
        if all(leg.state < CONFIRMED_NA for leg in self.legs.values()):
            self.state = DELETED


def dialog_key(call_id: bytes, caller_tag: bytes) -> bytes:
    """Neither a Call-ID nor a tag holds a space."""
    return call_id + b" " + caller_tag


def address(value: bytes | None) -> bytes:
    """The URI of a name-addr; b"" when there is none."""
    try:
        return NameAddr.parse(value).uri if value else b""
    except ParseError:
        return b""
