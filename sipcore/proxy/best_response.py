"""Sans-IO: which response goes to the caller, RFC 3261 section 16.7 steps 3, 6 and 7."""

from sipcore.message import Edit, Response, parse
from sipcore.proxy.settings import Header

_PREFERRED = frozenset({401, 407, 415, 420, 484})  # step 6: they tell the caller what to change
CHALLENGES = ((b"www-authenticate", b"WWW-Authenticate"), (b"proxy-authenticate", b"Proxy-Authenticate"))
MAX_CHALLENGES = 32


def relayed(response: Response, headers: tuple[Header, ...] = ()) -> bytes:
    """The response without our Via, step 3, and with these headers."""
    if not headers and b"," not in response.first_lines[b"via"]:
        head, at = response.head, response.head.index(response.first_lines[b"via"])
        return b"\r\n".join((*head[:at], *head[at + 1 :], b"", response.body))
    edit = Edit(response)
    edit.remove_first_value(b"Via")
    for name, value in headers:
        edit.replace(name, value)
    return edit.build()


def rank(status: int, data: bytes) -> tuple[int, int]:
    """Lower is better: 6xx, then the lowest class, there what tells the caller what to change."""
    if status >= 600:
        return 0, 0
    if status in _PREFERRED:
        return status // 100, 0
    return status // 100, 1 if data else 2


def challenges(response: Response) -> list[tuple[bytes, bytes]]:
    """The challenges in a 401 or 407, each with the name of its header."""
    return [(name, value) for long, name in CHALLENGES for value in response.lines(long)]


def with_challenges(data: bytes, collected: list[tuple[bytes, bytes]]) -> bytes:
    """The best response, a 401 or 407, with the challenges of the other branches added, step 7."""
    best = parse(data)
    assert isinstance(best, Response)
    own = challenges(best)
    edit = Edit(best)
    for name, value in collected[:MAX_CHALLENGES]:
        if (name, value) not in own:
            edit.append(name, value)
            own.append((name, value))
    return edit.build()
