"""Sans-IO: the routes of a script in the place of the default ones: the proxy calls them.

Deviations from OpenSIPS: a route that ends without relaying or answering is a mistake and gets 500 (`drop`
says that it is meant). An exception after `relay` leaves the call alone, which is on its way.
"""

from collections import deque
from functools import partial
from typing import Any

from sipcore.bus import Bus, Event
from sipcore.errors import ParseError
from sipcore.message import Edit, Response, parse
from sipcore.proxy.branch import Branch
from sipcore.proxy.call import Call as ProxyCall
from sipcore.proxy.settings import Refused
from sipcore.script.call import Call
from sipcore.script.context import Context
from sipcore.script.event import RaisedEvent
from sipcore.script.route import Generation, Route
from sipcore.script.run import MAX_WAITING, TIME_LIMIT, Runner, where_it_failed
from sipcore.script.services import Services

MAX_EVENTS = 10_000
DEFAULT_REPLY = "*"  # armed when only the default reply route is to see the replies


class Script:
    """Implements the proxy's `Routes`; `services.generation` are the routes that new work begins on."""

    def __init__(
        self,
        services: Services,
        generation: Generation,
        *,
        time_limit: float = TIME_LIMIT,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.services = services
        self.runner = Runner(services.proxy.wheel, time_limit=time_limit, max_waiting=max_waiting)
        self.failures = 0  # routes that raised
        self.undecided = 0  # request routes that ended without an answer
        self.missing = 0  # armed routes that the present script does not have
        self.events_dropped = 0
        self._buses: list[Bus[Any]] = []
        self._subscribed: set[tuple[int, Event]] = set()
        self._chains: dict[bytes, deque[tuple[Route[RaisedEvent], RaisedEvent]]] = {}
        self._raised: list[bytes] = []  # keys whose first event waits for the end of the batch
        self._events = 0  # waiting
        self._pumping: bytes | None = None
        self.adopt(generation)

    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start, and how many routes wait now."""
        return {
            "script_failures": self.failures,
            "script_undecided": self.undecided,
            "script_timeouts": self.runner.timeouts,
            "script_missing_routes": self.missing,
            "script_events_dropped": self.events_dropped,
            "script_lost_log_lines": self.services.lost_lines,
        }

    # What the proxy asks

    def on_request(self, call: ProxyCall) -> None:
        """A new request, or an ACK."""
        services = self.services
        generation = services.generation
        route = generation.request
        assert route is not None
        if "" in generation.reply:
            call.reply_route = DEFAULT_REPLY
        run = self.runner.start(route, Call(services, call), call.now, self._on_request_end)
        if run is not None:
            services.proxy.trying(call, call.now)

    def on_branch(self, call: ProxyCall, branch: Branch) -> bool:
        """A copy is about to be written; False: it is not sent."""
        route = self.services.generation.branch.get(call.branch_route)
        if route is None:
            self._note_missing("branch_route", call.branch_route, call)
            return True
        context = Call(self.services, call)
        context.branch = branch
        return self._finish(route, context) and not context.dropped

    def on_reply(self, call: ProxyCall, response: Response) -> Response | None:
        """A reply is about to go on: as it came or edited; None drops it."""
        routes = self.services.generation.reply
        names = [name for name in ("", call.reply_route) if name in routes]
        if call.reply_route not in (DEFAULT_REPLY, *names):
            self._note_missing("reply_route", call.reply_route, call)
        for name in dict.fromkeys(names):
            context = Call(self.services, call)
            context.reply = response
            self._finish(routes[name], context)
            if context.dropped:
                return None
            if context.reply_edits:
                response = edited(response, context)
        return response

    def on_failure(self, call: ProxyCall) -> None:
        """All branches have failed and a failure route is armed."""
        route = self.services.generation.failure.get(call.deciding)
        if route is None:
            self._note_missing("failure_route", call.deciding, call)
            self.services.proxy.finish(call, call.now)
            return
        self.runner.start(route, Call(self.services, call), call.now, self._on_failure_end)

    # Events

    def adopt(self, generation: Generation) -> None:
        """Begin new work on these routes; what runs ends in those that it began in."""
        self.services.generation = generation
        for bus in self._buses:
            self._subscribe(bus)

    def subscribe(self, bus: Bus[Any]) -> None:
        """Have the event routes called for what this bus publishes."""
        self._buses.append(bus)
        self._subscribe(bus)

    def on_event(self, event: Event, key: bytes, subject: object = None) -> None:
        """Something happened; its routes run after the batch, those of one key one after the other."""
        routes = self.services.generation.events.get(event)
        if routes is None or not self.services.proxy.layer.active:
            return
        for route in routes:
            if self._events >= MAX_EVENTS:
                self.events_dropped += 1
                continue
            self._events += 1
            raised = RaisedEvent(self.services, event, key, subject, 0.0)
            chain = self._chains.get(key)
            if chain is None:
                self._chains[key] = deque([(route, raised)])
                self._raised.append(key)
            else:
                chain.append((route, raised))

    def run_events(self, now: float) -> None:
        """The batch is over: begin the routes of what happened in it."""
        raised, self._raised = self._raised, []
        for key in raised:
            self._pump(key, now)

    def on_standby(self) -> None:
        """This node is BACKUP now: nothing that waits goes on."""
        self.runner.drop_all()
        self._chains.clear()
        self._raised.clear()
        self._events = 0

    # Steps

    def _subscribe(self, bus: Bus[Any]) -> None:
        """For the events that have routes only: some are costly to raise."""
        for event in self.services.generation.events:
            if (id(bus), event) not in self._subscribed:
                self._subscribed.add((id(bus), event))
                bus.subscribe(event, partial(self.on_event, event))

    def _on_request_end(self, route: Route[Call], context: Call, error: Exception | None, now: float) -> None:
        call, tx = context.proxy_call, context.proxy_call.tx
        call.now = now
        if error is not None:
            self._failed(route, context, error)
        elif tx is None or context.decided or tx.last_status >= 200:
            return
        elif context.dropped:
            tx.drop()
        else:
            self.undecided += 1
            self._log(route, context, "route ended without an answer", f"{route.path}:{route.line}")
            self.services.proxy.reply(call, 500, b"Route Ended Without An Answer")

    def _on_failure_end(self, route: Route[Call], context: Call, error: Exception | None, now: float) -> None:
        call = context.proxy_call
        call.now = now
        if error is not None:
            self._failed(route, context, error)
        if call.deciding:
            self.services.proxy.finish(call, now)

    def _failed(self, route: Route[Call], context: Call, error: Exception) -> None:
        """The end of a route that raised: its answer, once, unless the call is on its way already."""
        proxy, call = self.services.proxy, context.proxy_call
        if isinstance(error, ParseError):
            error = Refused(error.status, error.reason.encode("utf-8", "replace"))
        if isinstance(error, Refused):
            proxy.refuse(call, error)
            return
        self._note(route, context, error)
        tx = call.tx
        if tx is not None and tx.last_status < 200 and (call.context is None or call.deciding):
            proxy.reply(call, 500)

    def _finish(self, route: Route[Call], context: Call) -> bool:
        """Run a route that must not wait; False when it raised."""
        try:
            self.runner.finish(route, context)
        except Exception as error:
            self._note(route, context, error)
            return False
        return True

    def _pump(self, key: bytes, now: float) -> None:
        """Run the events of one key until one waits or none is left."""
        chain = self._chains.get(key)
        while chain:
            route, raised = chain.popleft()
            self._events -= 1
            raised.now = now
            self._pumping = key
            run = self.runner.start(route, raised, now, self._on_event_end)
            self._pumping = None
            if run is not None and not run.ended:
                return
        self._chains.pop(key, None)

    def _on_event_end(
        self, route: Route[RaisedEvent], context: RaisedEvent, error: Exception | None, now: float
    ) -> None:
        if error is not None:
            self._note(route, context, error)
        if self._pumping != context.raw_key:
            self._pump(context.raw_key, now)

    def _note(self, route: Route[Any], context: Context, error: Exception) -> None:
        self.failures += 1
        place = where_it_failed(error, route.path) or f"{route.path}:{route.line}"
        self._log(route, context, f"{type(error).__name__}: {error}", place)

    def _note_missing(self, kind: str, name: str, call: ProxyCall) -> None:
        self.missing += 1
        text = f'{kind}("{name}") is armed, but the script has none'
        self.services.log(
            "error", "route missing", error=text, key=call.request.call_id.decode("utf-8", "replace")
        )

    def _log(self, route: Route[Any], context: Context, error: str, place: str) -> None:
        self.services.log("error", "route failed", route=str(route), line=place, error=error, key=context.key)


def edited(response: Response, context: Call) -> Response:
    """The reply with the changes of the route in it."""
    edit = Edit(response)
    for change in context.reply_edits or ():
        change.apply(edit)
    changed = parse(edit.build())
    assert isinstance(changed, Response)
    return changed
