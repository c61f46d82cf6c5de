"""Sans-IO: recursion on a 3xx, RFC 3261 section 16.7 step 4."""

from collections.abc import Container

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Response, Uri
from sipcore.proxy.forking import Target

MAX_CONTACTS = 16  # that are looked at


def redirected(response: Response, known: Container[bytes]) -> tuple[list[Target], bool]:
    """The targets that a 3xx names and that were not tried; and whether we try all that it names."""
    targets: list[Target] = []
    complete = True
    try:
        contacts = response.values(b"contact")
    except ParseError:
        return [], False
    for value in contacts[:MAX_CONTACTS]:
        target = _target(value)
        if target is None:
            complete = False
        elif target.uri not in known and all(target.uri != other.uri for other in targets):
            targets.append(target)
    return targets, complete and len(contacts) <= MAX_CONTACTS


def _target(value: bytes) -> Target | None:
    try:
        contact = NameAddr.parse(value)
        uri = Uri.parse(contact.uri)
        q = float((contact.params.get(b"q") or b"1")[:5])
    except (ParseError, ValueError):
        return None
    if uri.scheme not in (b"sip", b"sips") or uri.headers or not 0 <= q <= 1:
        return None
    return Target(contact.uri, q=q)
