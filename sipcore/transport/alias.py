"""Sans-IO: what a request's top Via says about reusing its connection: the alias parameter of RFC 5923."""

import re

from sipcore.errors import ParseError
from sipcore.message import Via
from sipcore.transport.layer import default_port

_TOP_VIA = re.compile(rb"\r\n(?:via|v)[ \t]*:[ \t]*([^\r\n,]*)", re.IGNORECASE)


def alias_port(data: bytes, transport: str) -> int | None:
    """The port at which the sender of this request asks to be reached over its connection, if it does."""
    if data.startswith(b"SIP/") or b";alias" not in data:
        return None
    found = _TOP_VIA.search(data, 0, data.find(b"\r\n\r\n"))
    try:
        via = Via.parse(found[1].strip()) if found else None
    except ParseError:
        return None
    if via is None or b"alias" not in via.params:
        return None
    port = via.port or default_port(transport)
    return port if 0 < port < 65536 else None
