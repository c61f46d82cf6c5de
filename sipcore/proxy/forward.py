"""Sans-IO: the steps of request forwarding that write, RFC 3261 section 16.6, by splicing."""

from sipcore.message import Edit, NameAddr
from sipcore.proxy.branch import Branch
from sipcore.proxy.call import Call
from sipcore.proxy.listeners import Listeners
from sipcore.proxy.record_route import RecordRoutes, Ways, is_loose
from sipcore.transport.layer import Hop

MAX_FORWARDS = 70


class Forwarder:
    """Writes the copies of requests."""

    def __init__(self, listeners: Listeners, record_routes: RecordRoutes) -> None:
        self._via = listeners.via
        self._record_routes = record_routes

    def next_uri(self, call: Call, branch: Branch) -> bytes | None:
        """The URI of the next hop (steps 6 and 7); None: its connection says it all."""
        if branch.received is not None:
            return None
        if call.destination:
            return call.destination
        if branch.route:
            return NameAddr.parse(branch.route[0]).uri
        if call.info.routes:
            return NameAddr.parse(call.info.routes[0]).uri
        return branch.uri

    def write(self, call: Call, branch: Branch, hop: Hop) -> bytes:
        """The copy of the request for one branch that goes to this hop; its id is set already."""
        info = call.info
        plain = not (call.edits or branch.edits or branch.route or branch.breadth or call.path)
        if plain and not info.routes and not info.rewritten and info.removed <= 1:
            head = self._in_place(call, branch, hop)
            if head is not None:
                return b"\r\n".join(head)
        return self._edited(call, branch, hop)

    def _in_place(self, call: Call, branch: Branch, hop: Hop) -> list[bytes] | None:
        """The lines of the usual copy; None: `_edited` must write it.

        A new line is joined with the one that it stands above, so that no line moves before the last step.
        """
        request, info = call.request, call.info
        hops_left, lines, head = request.max_forwards, request.first_lines, request.head.copy()
        if hops_left is None or (info.removed and b"," in lines[b"route"]):
            return None
        head[head.index(lines[b"max-forwards"])] = b"Max-Forwards: %d" % (hops_left - 1)
        uri = branch.uri
        if uri != request.uri:
            head[0] = b"%b %b SIP/2.0" % (request.method, uri)
        if call.record_routed:
            own = b"\r\nRecord-Route: ".join(self._record(call, branch, hop, uri))
            first = lines.get(b"record-route")
            if first is None:
                head[0] = b"%b\r\nRecord-Route: %b" % (head[0], own)
            else:
                head[head.index(first)] = b"Record-Route: %b\r\n%b" % (own, first)
        first = lines[b"via"]
        head[head.index(first)] = b"Via: %b%b\r\n%b" % (self._via[hop.listener], branch.id, first)
        if info.removed:
            head.remove(lines[b"route"])
        head += (b"", request.body)
        return head

    def _edited(self, call: Call, branch: Branch, hop: Hop) -> bytes:
        request = call.request
        edit = Edit(request)
        uri = self._route(edit, call, branch)
        if uri != request.uri:  # step 2
            edit.request_uri(uri)
        hops_left = request.max_forwards  # step 3
        if hops_left is None:
            edit.append(b"Max-Forwards", b"%d" % MAX_FORWARDS)
        else:
            edit.replace(b"Max-Forwards", b"%d" % (hops_left - 1))
        if branch.breadth:
            edit.replace(b"Max-Breadth", b"%d" % branch.breadth)  # RFC 5393 section 5.3
        if call.record_routed:  # step 4
            for value in reversed(self._record(call, branch, hop, uri)):
                edit.insert_first(b"Record-Route", value)
        if call.path:
            self._add_path(edit, call)
        for change in call.edits:  # step 5
            change.apply(edit)
        if branch.edits is not None:
            for change in branch.edits:
                change.apply(edit)
        edit.insert_first(b"Via", self._via[hop.listener] + branch.id)  # step 8
        return edit.build()

    def _record(self, call: Call, branch: Branch, hop: Hop, uri: bytes) -> tuple[bytes, ...]:
        ways = Ways(call.source, hop, branch.received)
        secure = uri.startswith(b"sips:")
        return self._record_routes.record(call.request, call.record_params, ways, secure=secure)

    def _add_path(self, edit: Edit, call: Call) -> None:
        contact = call.request.first(b"contact") or b""
        outbound = b"reg-id" in contact
        edit.insert_first(b"Path", self._record_routes.path(call.source, outbound=outbound))

    def _route(self, edit: Edit, call: Call, branch: Branch) -> bytes:
        """Write the Routes; returns the Request-URI."""
        info = call.info
        routes = info.routes
        if branch.route:
            routes = [*branch.route, *routes]  # step 5: the Path of the registration
        if routes and branch.received is None and not is_loose(routes[0]):
            # step 6: the next hop is a strict router
            write_routes(edit, [*routes[1:], b"<%b>" % branch.uri])
            return NameAddr.parse(routes[0]).uri
        if info.rewritten or branch.route:
            write_routes(edit, routes)
        else:
            for _ in range(info.removed):
                edit.remove_first_value(b"Route")
        return branch.uri


def write_routes(edit: Edit, routes: list[bytes]) -> None:
    """Put these Route values in place of those that are there."""
    edit.remove(b"Route")
    for route in reversed(routes):
        edit.insert_first(b"Route", route)
