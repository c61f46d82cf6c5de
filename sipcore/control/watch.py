"""Sans-IO: GET /v1/trace: what of its query is accepted, and the lines that it answers.

A line is a message, or `{"lost": n}`: that many messages were not shown, because the reader was slow or
because they were more than a trace may cost.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import cast, get_args

import msgspec

from sipcore.control.commands import BadRequestError, text
from sipcore.message import Response
from sipcore.transport.trace import Filter, Kind, Seen, redacted

MAX_COUNT = 1_000_000
MAX_SECONDS = 86_400.0
MAX_VALUE = 256  # bytes of a filter
MAX_PER_SECOND = 500  # messages that are read for one trace
MAX_WAITING = 256  # lines for a reader that does not read; the next ones are lost
_TEXTS = ("method", "call_id", "user", "from_user", "to_user")


class Watch(msgspec.Struct, frozen=True):
    """What one trace wants; `count` and `seconds` end it, 0: not."""

    wanted: Filter
    count: int = 0
    seconds: float = 0.0
    full: bool = False
    secrets: bool = False


class Budget:
    """How much a trace may cost: so many messages per second are looked at, the others are lost."""

    def __init__(self, per_second: int = MAX_PER_SECOND) -> None:
        self.lost = 0
        self._per_second = per_second
        self._second = 0
        self._used = 0

    def spend(self, at: float) -> bool:
        """Whether one more may be looked at in this second."""
        second = int(at)
        if second != self._second:
            self._second, self._used = second, 0
        self._used += 1
        if self._used > self._per_second:
            self.lost += 1
            return False
        return True

    def take_lost(self) -> int:
        """How many were lost since this was asked the last time."""
        lost, self.lost = self.lost, 0
        return lost


class Line(msgspec.Struct, omit_defaults=True):
    """One message, for an operator; `message` only where all of it was asked for."""

    at: float
    incoming: bool
    remote: str
    local: str
    transport: str
    size: int
    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    call_id: str = ""
    cseq: int = 0
    caller: str = ""  # From
    callee: str = ""  # To
    message: str = ""


def parse_watch(query: Mapping[str, str]) -> Watch:
    """Read the query of GET /v1/trace."""
    known = {*_TEXTS, "ip", "kind", "count", "seconds", "full", "secrets"}
    for name in query:
        if name not in known:
            raise BadRequestError(f"{name}: unknown; known are {', '.join(sorted(known))}")
    texts = [_text(name, query.get(name, "")) for name in _TEXTS]
    kind = query.get("kind", "all")
    if kind not in get_args(Kind):
        raise BadRequestError(f"kind: {kind!r} is not one of {', '.join(get_args(Kind))}")
    method, call_id, user, from_user, to_user = texts
    wanted = Filter(
        method.upper(), call_id, user, from_user, to_user, _ip(query.get("ip", "")), cast("Kind", kind)
    )
    return Watch(
        wanted,
        int(_number("count", query, MAX_COUNT)),
        _number("seconds", query, MAX_SECONDS),
        full=query.get("full", "") not in ("", "0"),
        secrets=query.get("secrets", "") not in ("", "0"),
    )


def line(seen: Seen, watch: Watch) -> bytes:
    """One message as a line of JSON."""
    message = seen.message
    found = Line(
        round(seen.at, 6),
        seen.incoming,
        _place(seen.hop.host, seen.hop.port),
        _place(*seen.local),
        seen.hop.transport,
        len(seen.data),
    )
    if message is not None:
        found.method, found.call_id, found.cseq = text(message.method), text(message.call_id), message.cseq
        found.caller, found.callee = text(message.first(b"from") or b""), text(message.first(b"to") or b"")
        if isinstance(message, Response):
            found.status, found.reason = message.status, text(message.reason)
        else:
            found.uri = text(message.uri)
    if watch.full:
        found.message = text(seen.data if watch.secrets else redacted(seen.data))
    return msgspec.json.encode(found) + b"\n"


def lost_line(count: int) -> bytes:
    """The line that stands for messages that were not shown."""
    return msgspec.json.encode({"lost": count}) + b"\n"


def _text(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "replace")
    if len(data) > MAX_VALUE:
        raise BadRequestError(f"{name}: {len(data)} bytes are more than {MAX_VALUE}")
    return data


def _ip(value: str) -> str:
    try:
        return str(ip_address(value)) if value else ""
    except ValueError as error:
        raise BadRequestError(f"ip: {value!r} is not an IP address") from error


def _number(name: str, query: Mapping[str, str], limit: float) -> float:
    value = query.get(name, "0")
    try:
        number = float(value)
    except ValueError as error:
        raise BadRequestError(f"{name}: {value!r} is not a number") from error
    if not 0 <= number <= limit:
        raise BadRequestError(f"{name}: {value} is not in 0..{limit:g}")
    return number


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
