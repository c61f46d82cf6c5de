"""Sans-IO: headers and bodies. OpenSIPS: sipmsgops, the core's is_method, maxfwd."""

from sipcore.message.grammar import TOKEN
from sipcore.message.headers import long_name
from sipcore.proxy.call import Change, HeaderEdit
from sipcore.script.call import Call
from sipcore.script.errors import RouteError
from sipcore.script.text import one_line, wire

VITAL = frozenset({b"via", b"from", b"to", b"call-id", b"cseq", b"max-forwards", b"content-length"})
"""What the core writes itself."""
OURS_TO_ROUTE = frozenset({b"route", b"record-route"})


async def sipmsg_validate(call: Call) -> bool:
    """Whether RFC 3261 section 16.3 lets it be forwarded; if not, it is answered (483, 482, 420, 440).

    The syntax was checked before. OpenSIPS: sipmsg_validate(), mf_process_maxfwd_header().
    """
    call.services.proxy.check(call.proxy_call)  # a refusal ends the route and is the answer
    return True


async def mf_process_maxfwd_header(call: Call, limit: int = 70) -> bool:
    """False when the request has no hop left: answer 483. One with more than `limit` is cut down to it.

    OpenSIPS: mf_process_maxfwd_header(limit).
    """
    left = call.proxy_call.request.max_forwards
    if left == 0:
        return False
    if left is not None and left > limit:
        call.proxy_call.request.max_forwards = limit
    return True


async def is_method(call: Call, methods: str) -> bool:
    """Whether the method is one of these: "INVITE|SUBSCRIBE". OpenSIPS: is_method("INVITE|SUBSCRIBE")."""
    return call.method in methods.split("|")


async def has_totag(call: Call) -> bool:
    """Whether the request is one within a dialog. OpenSIPS: has_totag()."""
    return bool(call.proxy_call.request.to_tag)


async def has_body(call: Call, content_type: str = "") -> bool:
    """Whether there is a body, of this type if one is given. OpenSIPS: has_body("application/sdp")."""
    if not call.rb:
        return False
    return (
        not content_type or call.hdr("Content-Type").partition(";")[0].strip().lower() == content_type.lower()
    )


async def is_present_hf(call: Call, name: str) -> bool:
    """Whether there is a header of this name, short or long. OpenSIPS: is_present_hf("name")."""
    message = call.reply if call.reply is not None else call.proxy_call.request
    return _name(name)[1] in message.names


async def append_hf(call: Call, header: str, value: str | None = None) -> None:
    """Add a header line behind the others: append_hf(call, "P-Hint: to user") or with name and value apart.

    To what is relayed; in a branch route to the branch, in a reply route to the reply. OpenSIPS: append_hf().
    """
    edit(call, Change.APPEND, *_line(header, value))


async def insert_hf(call: Call, header: str, value: str | None = None) -> None:
    """Add a header line above those of its name. OpenSIPS: insert_hf()."""
    edit(call, Change.INSERT, *_line(header, value))


async def replace_hf(call: Call, header: str, value: str | None = None) -> None:
    """Give the first line of that header this value, or add it. OpenSIPS: remove_hf() and append_hf()."""
    edit(call, Change.REPLACE, *_line(header, value))


async def remove_hf(call: Call, name: str) -> bool:
    """Take out all lines of a header; False when there was none. OpenSIPS: remove_hf("name")."""
    spelled, long = _name(name)
    _may_change(long)
    edit(call, Change.REMOVE, spelled, b"")
    message = call.reply if call.reply is not None else call.proxy_call.request
    return long in message.names


async def append_to_reply(call: Call, header: str, value: str | None = None) -> None:
    """Add a header line to the replies that are made here: t_reply, sl_send_reply, save.

    OpenSIPS: append_to_reply().
    """
    if call.reply_headers is None:
        call.reply_headers = []
    call.reply_headers.append(_line(header, value))


def edit(call: Call, change: Change, name: bytes, value: bytes) -> None:
    """Change what is relayed: the reply, the branch, or all branches, by the route that is running."""
    made = HeaderEdit(change, name, value)
    if call.reply is not None:
        call.reply_edits = [*(call.reply_edits or ()), made]
    elif call.branch is not None:
        call.branch.edits = [*(call.branch.edits or ()), made]
    else:
        call.proxy_call.edits.append(made)


def _line(header: str, value: str | None) -> tuple[bytes, bytes]:
    name, colon, rest = header.partition(":")
    if value is None:
        if not colon:
            raise RouteError(f'{header[:60]!r} is no header: "Name: value"')
        value = rest.strip()
    spelled, long = _name(name if value is not None and colon else header)
    _may_change(long)
    return spelled, one_line(value, name)


def _name(name: str) -> tuple[bytes, bytes]:
    spelled = wire(name.strip())
    long = long_name(spelled)
    if not long or not TOKEN.match(spelled):
        raise RouteError(f"{name[:60]!r} is no name of a header")
    return spelled, long


def _may_change(long: bytes) -> None:
    if long in VITAL or long in OURS_TO_ROUTE:
        raise RouteError(f"{long.decode()}: the core writes this header itself")
