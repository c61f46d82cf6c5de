"""Sans-IO: the book of all calls: what their users wished, what the phones saw, and whether the two agree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Event = Mapping[str, object]
Key = tuple[str, str]


class Wish(StrEnum):
    """How the users want a call to go."""

    TALK = "talk"
    CANCEL = "cancel"
    REJECT = "reject"


# What must have happened, as (event, leg or status), for a call to have gone as its users wished.
NEEDED: dict[Wish, tuple[Key, ...]] = {
    Wish.TALK: (
        ("answered", "200"),
        ("established", "callee"),
        ("bye_answered", "200"),
        ("bye_received", ""),
    ),
    Wish.CANCEL: (("cancel_answered", "200"), ("failed", "487"), ("cancelled", "callee")),
    Wish.REJECT: (("failed", "486"),),
}
BY_STATUS = frozenset({"answered", "failed", "cancel_answered", "bye_answered", "progress"})


@dataclass(slots=True)
class Call:
    """One call: the wish, and when each event was first seen (monotonic seconds)."""

    id: str
    caller: str
    callee: str
    wish: Wish = Wish.TALK
    seen: dict[Key, float] = field(default_factory=dict)
    duplicates: int = 0
    call_id: str = ""  # known from its end or its answer on
    ending: bool = False  # one of its users has been told to hang up

    def has(self, name: str, detail: str | None = None) -> bool:
        """Whether an event was seen, with this status or leg if one is given."""
        return any(key[0] == name and detail in (None, key[1]) for key in list(self.seen))

    @property
    def is_ringing(self) -> bool:
        """The caller hears it ring and nothing final has come."""
        return self.has("progress", "180") and not (self.has("answered") or self.has("failed"))

    @property
    def is_up(self) -> bool:
        """Both sides have it, and nobody has hung up."""
        return self.has("answered", "200") and self.has("established") and not self.has("bye_answered")

    @property
    def is_over(self) -> bool:
        """Everything that the wish needs has been seen."""
        return not self.missing()

    def missing(self) -> list[str]:
        """What the wish needs and nobody saw."""
        return [
            f"{name} {detail}".strip()
            for name, detail in NEEDED[self.wish]
            if not self.has(name, detail or None)
        ]


@dataclass(slots=True)
class Registration:
    """What the phone of a user has asked for and what it was last told."""

    asked: int = 0
    answered: int = 0
    expires: int = 0  # of the last 200
    cseq: int = 0

    @property
    def is_settled(self) -> bool:
        """Nothing is under way: what the last 200 said must be so."""
        return self.asked == self.answered and self.cseq > 0


class Ledger:
    """All calls and registrations of a run."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}
        self.registrations: dict[str, Registration] = {}
        self.connections = 0  # new ones since the phones were started
        self.registered: set[str] = set()
        self.refused: dict[str, object] = {}
        self.options: dict[str, object] = {}
        self.errors: list[str] = []

    def place(self, call: Call) -> Call:
        """Enter a call before it is made."""
        self.calls[call.id] = call
        return call

    def ask(self, user: str) -> None:
        """A phone is about to send REGISTER."""
        self.registrations.setdefault(user, Registration()).asked += 1

    def on_event(self, event: Event) -> None:
        """Take in one line of the phones."""
        name = str(event["event"])
        if name in ("registered", "register_failed"):
            self._on_registration(name, event)
        elif name == "connected":
            self.connections += 1
        if name == "registered":
            self.registered.add(str(event["user"]))
        elif name == "register_failed":
            self.refused[str(event["user"])] = event.get("status")
        elif name == "options_answered":
            self.options[str(event["id"])] = event["status"]
        elif name == "error":
            self.errors.append(f"{event.get('cmd')} {event.get('id', '')}: {event.get('error')}")
        elif str(event.get("id")) in self.calls:
            self._on_call(name, event)

    def _on_call(self, name: str, event: Event) -> None:
        call = self.calls[str(event["id"])]
        call.call_id = str(event.get("call_id", call.call_id))
        if name == "duplicate_invite":
            call.duplicates += 1
        else:
            detail = event.get("status" if name in BY_STATUS else "leg", "")
            at = event["t"]
            assert isinstance(at, int | float)
            call.seen.setdefault((name, str(detail)), float(at))

    def _on_registration(self, name: str, event: Event) -> None:
        found = self.registrations.setdefault(str(event["user"]), Registration())
        found.answered += 1
        expires, cseq = event.get("expires"), event.get("cseq")
        if name == "registered" and isinstance(expires, int) and isinstance(cseq, int):
            found.expires, found.cseq = expires, cseq

    def lost(self) -> dict[str, list[str]]:
        """The calls that did not go as their users wished, and what is missing of each."""
        return {call.id: missing for call in self.calls.values() if (missing := call.missing())}

    @property
    def duplicates(self) -> int:
        """How many INVITEs reached a callee twice as if they were two calls."""
        return sum(call.duplicates for call in self.calls.values())

    def answers(self, name: str, *, since: float) -> dict[str, int]:
        """How many events of this name were seen from then on, by their status or leg."""
        counts: dict[str, int] = {}
        for call in self.calls.values():
            for (event, detail), at in call.seen.items():
                if event == name and at >= since:
                    counts[detail] = counts.get(detail, 0) + 1
        return counts

    def select(self, ids: Iterable[str]) -> list[Call]:
        """Calls by their ids."""
        return [self.calls[call_id] for call_id in ids]
