"""Sans-IO: how many branches a request may have at once over all proxies, RFC 5393 section 5.3."""

from sipcore.errors import ParseError
from sipcore.message import Request
from sipcore.proxy.forking import Target

DEFAULT = 60  # section 5.3
LIMIT = 65535


def max_breadth(request: Request) -> int:
    """What the request allows."""
    value = request.first(b"max-breadth")
    if value is None:
        return DEFAULT
    if not value.isdigit() or len(value) > 9:
        raise ParseError("Bad Max-Breadth")
    return min(int(value), LIMIT)


def share_breadth(breadth: int, group: list[Target]) -> tuple[list[int], list[Target]]:
    """The shares of those that may ring now, and the targets that have to wait."""
    now, later = group[:breadth], group[breadth:]
    if not now:
        return [], later
    share, rest = divmod(breadth, len(now))
    return [share + (index < rest) for index in range(len(now))], later
