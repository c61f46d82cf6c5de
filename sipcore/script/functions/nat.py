"""Sans-IO: phones behind NAT. OpenSIPS: nathelper and nat_traversal.

By the tests of `[nat]` in the config `save` does by itself what fix_nated_register() does there, and `relay`
what add_contact_alias() and handle_ruri_alias() do; these functions are for a script that decides itself.
"""

from ipaddress import ip_address

from sipcore.errors import ParseError
from sipcore.nat import detect, fix
from sipcore.proxy.call import Change
from sipcore.script.call import Call
from sipcore.script.errors import RouteError
from sipcore.script.functions.sipmsgops import edit
from sipcore.script.text import text


async def nat_uac_test(call: Call, flags: int) -> bool:
    """Whether any of these tests says that the sender is behind a NAT; the numbers are those of OpenSIPS.

    1 private Contact, 2 source is not the Via, 4 private Via, 8 private SDP, 16 port is not that of the Via,
    32 source is not the Contact, 64 port is not that of the Contact. OpenSIPS: nat_uac_test(flags).
    """
    return detect.nat_uac_test(call.proxy_call.request, call.proxy_call.source, flags)


async def force_rport(call: Call) -> None:
    """Send replies to where the request came from, also if its Via does not ask for it.

    OpenSIPS: force_rport().
    """
    passing = call.proxy_call
    fix.force_rport(passing.request, passing.source)
    if passing.tx is not None:
        passing.tx.hop = passing.source


async def fix_nated_contact(call: Call) -> None:
    """Put the address that the request came from into its Contact. OpenSIPS: fix_nated_contact()."""
    value, passing = _contact(call), call.proxy_call
    passing.replace_header(b"Contact", fix.fix_nated_contact(value, passing.source))


async def add_contact_alias(call: Call) -> None:
    """Add the address that the request came from to its Contact, as ;alias=, and change nothing else of it.

    `handle_ruri_alias` reads it when the request comes back. OpenSIPS: add_contact_alias().
    """
    value, passing = _contact(call), call.proxy_call
    passing.replace_header(b"Contact", fix.add_contact_alias(value, passing.source))


async def handle_ruri_alias(call: Call) -> bool:
    """Take the alias out of the Request-URI and send to it; False: there is none.

    OpenSIPS: handle_ruri_alias().
    """
    passing = call.proxy_call
    passing.uri, destination = fix.handle_ruri_alias(passing.uri)
    if destination:
        call.du = text(destination)
    return bool(destination)


async def fix_nated_sdp(call: Call, ip: str = "", *, origin: bool = False) -> bool:
    """Put `ip`, or the address that the request came from, into each c= of its session description.

    With `origin` into o= too; an address on hold stays; in a reply route `ip` must be given. False: there is
    no session description, or none that can be read. OpenSIPS: fix_nated_sdp(flags, ip).
    """
    host = ip or ("" if call.reply is not None else call.proxy_call.source.host)
    try:
        ip_address(host)
    except ValueError:
        raise RouteError(f"fix_nated_sdp: {host[:60]!r} is no IP address") from None
    message = call.reply if call.reply is not None else call.proxy_call.request
    content_type = message.first(b"content-type") or b""
    try:
        body = fix.fix_nated_sdp(content_type, message.body, host, origin=origin)
    except ParseError:
        return False
    if body == message.body:
        return False
    edit(call, Change.BODY, content_type, body)
    return True


def _contact(call: Call) -> bytes:
    if call.reply is not None:
        raise RouteError("a reply route does not know where the reply came from; the core fixes it: [nat]")
    return call.proxy_call.request.first(b"contact") or b"*"
