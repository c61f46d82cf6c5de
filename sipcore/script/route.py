"""Sans-IO: the decorators that make a function a route, and what a script is made of."""

from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from sipcore.bus import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sipcore.script.call import Call
    from sipcore.script.event import RaisedEvent

C = TypeVar("C")
F = TypeVar("F", bound=Callable[..., Any])


class RouteKind(StrEnum):
    """The kinds of routes, with the names of their decorators."""

    REQUEST = "request_route"
    BRANCH = "branch_route"
    FAILURE = "failure_route"
    REPLY = "reply_route"
    EVENT = "event_route"


class Route(Generic[C]):
    """A function of a script that the core calls."""

    __slots__ = ("function", "kind", "line", "name", "path")

    def __init__(
        self, kind: RouteKind, name: str, function: Callable[[C], Coroutine[Any, Any, None]]
    ) -> None:
        self.kind = kind
        self.name = name
        self.function = function
        code = function.__code__
        self.path: str = code.co_filename
        self.line: int = code.co_firstlineno

    def __str__(self) -> str:
        return f'{self.kind}("{self.name}")' if self.name else str(self.kind)


class Generation:
    """The routes of a script as it was loaded once; a reload makes the next one."""

    def __init__(self, path: str = "", number: int = 0) -> None:
        self.path = path
        self.number = number
        self.request: Route[Call] | None = None
        self.branch: dict[str, Route[Call]] = {}
        self.failure: dict[str, Route[Call]] = {}
        self.reply: dict[str, Route[Call]] = {}  # "" is the default one, for every reply
        self.events: dict[Event, list[Route[RaisedEvent]]] = {}

    def __len__(self) -> int:
        events = sum(len(routes) for routes in self.events.values())
        return (self.request is not None) + len(self.branch) + len(self.failure) + len(self.reply) + events


_collecting: ContextVar[Generation | None] = ContextVar("collecting", default=None)


@contextmanager
def collect(generation: Generation) -> "Iterator[None]":
    """While this lasts, what the decorators mark goes into this generation."""
    token = _collecting.set(generation)
    try:
        yield
    finally:
        _collecting.reset(token)


CallRoute = Callable[["Call"], Coroutine[Any, Any, None]]
EventRoute = Callable[["RaisedEvent"], Coroutine[Any, Any, None]]


def request_route(function: CallRoute) -> CallRoute:
    """Called for each request. OpenSIPS: route { }."""
    if (generation := _collecting.get()) is not None:
        generation.request = Route(RouteKind.REQUEST, "", function)
    return function


def branch_route(name: str) -> Callable[[CallRoute], CallRoute]:
    """Called for each branch before it is sent, when `t_on_branch` armed it. OpenSIPS: branch_route[name]."""

    def mark(function: CallRoute) -> CallRoute:
        if (generation := _collecting.get()) is not None:
            generation.branch[name] = Route(RouteKind.BRANCH, name, function)
        return function

    return mark


def failure_route(name: str) -> Callable[[CallRoute], CallRoute]:
    """Called when all branches have failed, when `t_on_failure` armed it. OpenSIPS: failure_route[name]."""

    def mark(function: CallRoute) -> CallRoute:
        if (generation := _collecting.get()) is not None:
            generation.failure[name] = Route(RouteKind.FAILURE, name, function)
        return function

    return mark


@overload
def reply_route(name: CallRoute) -> CallRoute: ...
@overload
def reply_route(name: str) -> Callable[[CallRoute], CallRoute]: ...
def reply_route(name: CallRoute | str) -> CallRoute | Callable[[CallRoute], CallRoute]:
    """Called for each reply: bare for all, named when `t_on_reply` armed it. OpenSIPS: onreply_route."""

    def mark(function: CallRoute) -> CallRoute:
        if (generation := _collecting.get()) is not None:
            key = name if isinstance(name, str) else ""
            generation.reply[key] = Route(RouteKind.REPLY, key, function)
        return function

    return mark if isinstance(name, str) else mark(name)


def event_route(name: str) -> Callable[[EventRoute], EventRoute]:
    """Called after the event of this name was raised. OpenSIPS: event_route[name]."""

    def mark(function: EventRoute) -> EventRoute:
        if (generation := _collecting.get()) is not None:
            event = Event[name]
            generation.events.setdefault(event, []).append(Route(RouteKind.EVENT, name, function))
        return function

    return mark
