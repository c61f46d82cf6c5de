"""Sans-IO: what reached whom over a wire: two runs of one scenario can be compared message by message.

Left out is what says nothing between the ends: 100, which each proxy makes for itself, and a message that
came again as it was.
"""

from collections.abc import Iterable

from sipcore.message import Response, parse

Sight = tuple[object, ...]


def sight(data: bytes) -> Sight:
    """A request: method, URI, CSeq, To tag, branch. A response: status, method, CSeq, To tag."""
    message = parse(data)
    if isinstance(message, Response):
        return message.status, message.method, message.cseq, message.to_tag
    return message.method, message.uri, message.cseq, message.to_tag, message.top_via.branch


def is_cancel(seen: Sight) -> bool:
    """Whether it is a CANCEL or the answer to one."""
    return b"CANCEL" in seen[:2]


def sights(datagrams: Iterable[bytes]) -> list[Sight]:
    """Each sight once, in the order in which they were first seen.

    A CANCEL and its answer stand last: its transaction and that of the INVITE are not in step.
    """
    seen = [seen for seen in dict.fromkeys(map(sight, datagrams)) if seen[0] != 100]
    return sorted(seen, key=is_cancel)
