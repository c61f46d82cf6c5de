"""Sans-IO: in-process events, named as in OpenSIPS (E_UL_AOR_INSERT); a subscriber is called at once."""

from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Event(IntEnum):
    """What happened on this node; a standby raises none of these."""

    E_UL_AOR_INSERT = 1
    E_UL_AOR_DELETE = 2
    E_UL_CONTACT_INSERT = 3
    E_UL_CONTACT_UPDATE = 4
    E_UL_CONTACT_DELETE = 5
    E_DLG_STATE_CHANGED = 6
    E_AUTH_FAILURE = 7
    E_PIKE_BLOCKED = 8


class Bus(Generic[T]):
    """Calls `subscriber(aor or user, subject)` for each event of its kind, in the order of subscription."""

    def __init__(self) -> None:
        self._subscribers: dict[Event, list[Callable[[bytes, T | None], None]]] = {
            event: [] for event in Event
        }

    def subscribe(self, event: Event, subscriber: Callable[[bytes, T | None], None]) -> None:
        """Call it from now on; it must not change what it is told about."""
        self._subscribers[event].append(subscriber)

    def subscribers(self, event: Event) -> list[Callable[[bytes, T | None], None]]:
        """The list of them, always the same one: who publishes often looks whether it is empty."""
        return self._subscribers[event]

    def wanted(self, event: Event) -> bool:
        """Whether anybody has subscribed."""
        return bool(self._subscribers[event])

    def publish(self, event: Event, aor: bytes, subject: T | None = None) -> None:
        """Tell all subscribers of this event."""
        for subscriber in self._subscribers[event]:
            subscriber(aor, subject)
