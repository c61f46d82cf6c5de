"""Sans-IO: what a server did with a torture message, in a few words, and whether the RFC allows it."""

import ipaddress
from collections.abc import Sequence

from sipcore.errors import ParseError
from sipcore.message import Message, parse

# What a proxy writes: the start line, its own hop, and what it takes out of Route.
_REWRITTEN = frozenset((b":", b"via", b"max-forwards", b"route", b"record-route"))


def outcome(data: bytes, sent: Sequence[tuple[str, int, bytes]], phone: str) -> str:
    """`400 Bad Via`, `forwarded`, `dropped`, or what is wrong: `changed ...`, `sent to 255.255.255.255`."""
    for host, _, _ in sent:
        address = ipaddress.ip_address(host)
        if address.is_multicast or host == "255.255.255.255":
            return f"sent to {host}"
    answers = [answer for host, _, packet in sent if host == phone and (answer := _response(packet))]
    finals = [answer for answer in answers if not answer.startswith("1")]
    forwarded = [packet for _, _, packet in sent if not packet.startswith(b"SIP/2.0")]
    if forwarded:
        return _compare(data, forwarded[0])
    if finals:
        return finals[0]
    if sent and not answers:
        return f"sent to {sent[0][0]}"
    return "dropped"


def is_allowed(said: str, allowed: Sequence[str]) -> bool:
    """Whether an outcome is one of the allowed ones: a status, `forwarded`, `dropped`."""
    return said.split(maxsplit=1)[0] in allowed or said in allowed


def _response(packet: bytes) -> str:
    """Status and reason; the rest may lack what the request lacked."""
    line = packet.partition(b"\r\n")[0]
    return line[8:].decode(errors="replace").strip() if line.startswith(b"SIP/2.0 ") else ""


def _compare(original: bytes, copy: bytes) -> str:
    """Whether a forwarded copy has every header and the body of the original as they were."""
    try:
        before, after = parse(original), parse(copy)
    except ParseError as error:
        return f"forwarded though {error.reason}"
    if before.body != after.body:
        return "changed the body"
    if (lost := _first_difference(_untouched(before), _untouched(after))) is not None:
        return f"changed {lost.split(b':')[0].decode(errors='replace').strip()}"
    # the top Via may have got received and rport; those below stay
    if _vias(before)[1:] != _vias(after)[2:]:
        return "changed Via"
    return "forwarded"


def _untouched(message: Message) -> list[bytes]:
    return [line for line, name in zip(message.head, message.names, strict=True) if name not in _REWRITTEN]


def _vias(message: Message) -> list[bytes]:
    return [b" ".join(value.split()) for value in message.values(b"via")]


def _first_difference(before: list[bytes], after: list[bytes]) -> bytes | None:
    if before == after:
        return None
    return next((one for one, other in zip(before, after, strict=False) if one != other), b"headers:")
