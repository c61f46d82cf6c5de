"""Sans-IO: calls with phones behind NAT: an alias in their Contact, and the way that it names.

The callee is known by its registration, or by the alias that led to it; the caller by `nat_uac_test`. Both
keep their alias for the life of the dialog, since each of their Contacts passes here. What goes over a flow
needs none: its token is in the Record-Route.
"""

from sipcore.message import Edit, Response, parse
from sipcore.nat.detect import nat_uac_test
from sipcore.nat.fix import add_contact_alias, handle_ruri_alias
from sipcore.proxy.branch import Branch
from sipcore.proxy.call import Call
from sipcore.transport.layer import Hop


def pass_request(call: Call, tests: int) -> None:
    """Before a request is relayed: follow the alias in its Request-URI, put one into its Contact.

    Routes that have done either themselves are left alone.
    """
    if b";alias=" in call.uri and not call.destination and not call.info.routes and not call.groups:
        call.uri, call.destination = handle_ruri_alias(call.uri)
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
    if hop is None or hop.flow or b"contact" not in response.names or not 100 < response.status < 300:
        return response
    edit = Edit(response)
    edit.replace(b"Contact", add_contact_alias(response.values(b"contact")[0], hop))
    edited = parse(edit.build())
    return edited if isinstance(edited, Response) else response


def _seen_at(call: Call, branch: Branch) -> Hop | None:
    """Where the phone is, if it was reached elsewhere than its Contact says."""
    if branch.received is not None:
        return branch.received
    return branch.hop if call.destination and b";alias=" in call.request.uri else None
