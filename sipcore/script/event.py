"""Sans-IO: an event as an event route sees it."""

from sipcore.bus import Event
from sipcore.dialog.dialog import State
from sipcore.script.context import Context
from sipcore.script.services import Services
from sipcore.script.text import text


class RaisedEvent(Context):
    """What happened: `name` as in OpenSIPS, `aor` (`key`: what it is about), `subject` with the details."""

    __slots__ = ("_now", "event", "raw_key", "subject")

    def __init__(self, services: Services, event: Event, raw_key: bytes, subject: object, now: float) -> None:
        super().__init__(services)
        self.event = event
        self.raw_key = raw_key
        self.subject = subject  # a Binding, a StateChange, an AuthFailure, a number; None for AOR events
        self._now = now

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._now

    @now.setter
    def now(self, value: float) -> None:
        self._now = value

    @property
    def name(self) -> str:
        """The name of the event: E_UL_AOR_INSERT."""
        return self.event.name

    @property
    def key(self) -> str:
        """What the event is about: an AOR, a user, an address. OpenSIPS: its first $param."""
        return text(self.raw_key)

    @property
    def aor(self) -> str:
        """The address-of-record: sip:bob@example.test. OpenSIPS: $param(aor)."""
        return text(self.raw_key)

    @property
    def contact(self) -> str:
        """The contact URI of a contact event, else empty. OpenSIPS: $param(address)."""
        return text(getattr(self.subject, "uri", b""))

    @property
    def state(self) -> str:
        """What a dialog has come to: UNCONFIRMED, EARLY, CONFIRMED_NA, CONFIRMED, DELETED; else empty."""
        return _name(getattr(self.subject, "new", None))

    @property
    def old_state(self) -> str:
        """What a dialog was before, empty for a new one. OpenSIPS: $param(old_state)."""
        return _name(getattr(self.subject, "old", None))


def _name(state: State | None) -> str:
    return state.name if state is not None else ""
