"""Sans-IO: calls with phones behind NAT: an alias in their Contact, and the way that it names.

The callee is known by its registration, or by the alias that led to it; the caller by `nat_uac_test`. Both
keep their alias for the life of the dialog, since each of their Contacts passes here. What goes over a flow
needs none: its token is in the Record-Route.
"""

from sipcore.message import Edit, Response, parse
from sipcore.nat.detect import nat_uac_test
from sipcore.nat.fix import add_contact_alias, alias_way, handle_ruri_alias
from sipcore.proxy.admission import Dialogs
from sipcore.proxy.branch import Branch
from sipcore.proxy.call import Call
from sipcore.transport.layer import Hop


def pass_request(call: Call, tests: int, dialogs: Dialogs) -> None:
    """Before a request is relayed: follow the alias in its Request-URI, put one into its Contact.

    Routes that have done either themselves are left alone. An alias names the address of a connection that
    may be gone; the dialog knows which one it was, so the request goes where that phone is now, or waits.
    """
    if b";alias=" in call.uri and not call.destination and not call.info.routes and not call.groups:
        call.uri, call.destination = handle_ruri_alias(call.uri)
        if b";transport=" in call.destination:
            call.info = call.info._replace(flow=_connection(call, dialogs))
    request = call.request
    if b"contact" not in request.first_lines:
        return
    if call.edits and any(edit.name.lower() == b"contact" for edit in call.edits):
        return
    # a proxy on the way speaks for its own phones
    if nat_uac_test(request, call.source, tests) and len(request.values(b"via")) == 1:
        value = request.values(b"contact")[0]
        call.replace_header(b"Contact", add_contact_alias(value, call.source))


def pass_response(call: Call, branch: Branch, response: Response) -> Response:
    """The response, with an alias in its Contact if it came from a phone behind NAT."""
    hop = _seen_at(call, branch)
    if (
        hop is None
        or (hop.flow and not call.destination)
        or b"contact" not in response.names
        or not 100 < response.status < 300
    ):
        return response
    edit = Edit(response)
    edit.replace(b"Contact", add_contact_alias(response.values(b"contact")[0], hop))
    edited = parse(edit.build())
    return edited if isinstance(edited, Response) else response


def _connection(call: Call, dialogs: Dialogs) -> Hop | None:
    """The connection that the phone with this alias has."""
    dialog = call.dialog or dialogs.find(call.request)
    for hop in dialog.hops() if dialog is not None else ():
        if hop.flow and alias_way(hop) == call.destination:
            return dialogs.heir(hop)
    return call.info.flow


def _seen_at(call: Call, branch: Branch) -> Hop | None:
    """Where the phone is, if it was reached elsewhere than its Contact says."""
    if branch.received is not None:
        return branch.received
    return branch.hop if call.destination and b";alias=" in call.request.uri else None
