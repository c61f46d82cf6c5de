"""Sans-IO: how much of a message is looked at: the limits of the process, and how often each was exceeded.

A limit is checked where its work is done: size, lines, Vias, Record-Routes and Request-URI on arrival, values
and parameters when a header is read. What is over a limit is answered with the status beside it.
"""

from dataclasses import dataclass, fields

from sipcore.errors import ParseError


@dataclass(slots=True)
class Limits:
    """The numbers; `configure` sets them, once, before the first message."""

    message_bytes: int = 65535
    header_bytes: int = 32768
    header_lines: int = 256  # a request may have been through 70 hops that wrote Via and Record-Route
    vias: int = 128
    record_routes: int = 128
    uri_bytes: int = 2048
    values: int = 128  # comma-separated, of one header line
    params: int = 64  # of one value
    harmless: int = 0  # headers of at most so many bytes in all are within every limit of an arrival

    def __post_init__(self) -> None:
        # the shortest Via is "SIP/2.0/UDP h,", the shortest Record-Route "<a:b>,"
        self.harmless = min(
            self.message_bytes, self.header_bytes, self.vias * 14, self.record_routes * 6, self.uri_bytes
        )


LIMITS = Limits()
"""The limits of this process."""


def configure(**numbers: int) -> None:
    """Set the limits of this process; what is not named gets its default."""
    wanted = Limits(**numbers)
    for item in fields(Limits):
        setattr(LIMITS, item.name, getattr(wanted, item.name))


_SAID = {
    "message_bytes": ("Message of more than {} bytes", 513),
    "header_bytes": ("Headers of more than {} bytes", 513),
    "header_lines": ("More than {} header lines", 400),
    "vias": ("More than {} Vias", 400),
    "record_routes": ("More than {} Record-Routes", 400),
    "uri_bytes": ("Request-URI of more than {} bytes", 414),
    "values": ("More than {} values in a header line", 400),
    "params": ("More than {} parameters of one value", 400),
}

exceeded = dict.fromkeys(_SAID, 0)
"""How often a message was over each limit."""


def over(name: str, *, partial: object = None) -> ParseError:
    """The error for what is over this limit; it is counted."""
    exceeded[name] += 1
    said, status = _SAID[name]
    return ParseError(said.format(getattr(LIMITS, name)), status=status, partial=partial)
