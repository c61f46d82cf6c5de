"""Sans-IO: calls with phones behind NAT: an alias in their Contact, and the way that it names.

The callee is known by its registration, or by the alias that led to it; the caller by `nat_uac_test`. Both
keep their alias for the life of the dialog, since each of their Contacts passes here.
"""

from sipcore.message import Edit, Response, parse
from sipcore.nat.detect import nat_uac_test
from sipcore.nat.fix import add_contact_alias, handle_ruri_alias
from sipcore.proxy.call import Call
from sipcore.transport.layer import Hop

REPLY_ROUTE = "contact-alias"  # armed for calls whose callee is behind NAT


def alias_contact(call: Call, tests: int) -> None:
    """A request from behind NAT goes on with an alias in its Contact."""
    request = call.request
    if b"contact" not in request.names or not nat_uac_test(request, call.source, tests):
        return
    values = request.values(b"contact")
    call.replace_header(b"Contact", add_contact_alias(values[0], call.source))


def follow_alias(call: Call) -> bool:
    """A Request-URI with an alias: the phone gets it without, and over the address that it names."""
    if b";alias=" not in call.uri:
        return False
    call.uri, call.destination = handle_ruri_alias(call.uri)
    return bool(call.destination)


def expect_nated_replies(call: Call) -> None:
    """Have `alias_reply` see the replies if one of the targets is behind NAT."""
    if call.destination or any(target.received for group in call.groups for target in group):
        call.reply_route = call.reply_route or REPLY_ROUTE


def alias_reply(call: Call, response: Response) -> Response:
    """The response with an alias in its Contact if it came from a phone behind NAT."""
    hop = _sender(call, response)
    if hop is None or b"contact" not in response.names or not 100 < response.status < 300:
        return response
    edit = Edit(response)
    edit.replace(b"Contact", add_contact_alias(response.values(b"contact")[0], hop))
    edited = parse(edit.build())
    return edited if isinstance(edited, Response) else response


def _sender(call: Call, response: Response) -> Hop | None:
    """Where the phone is, if it was reached elsewhere than its Contact says; over a flow tokens do it."""
    if call.context is None:
        return None
    top = response.top_via.branch
    for branch in call.context.branches:
        if branch.id == top and branch.hop is not None and not branch.hop.flow:
            return branch.hop if branch.received is not None or call.destination else None
    return None
