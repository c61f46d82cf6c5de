"""Sans-IO: the Date of a 200 to REGISTER, RFC 3261 section 10.3 step 8: phones set their clocks by it."""

from email.utils import formatdate

Header = tuple[bytes, bytes]


class Date:
    """Writes the header once a second; `wall_offset` is what is to be added to `now` to get the UTC time."""

    def __init__(self, wall_offset: float) -> None:
        self._wall_offset = wall_offset
        self._second = -1
        self._header: Header = (b"Date", b"")

    def header(self, now: float) -> Header:
        """The header for this moment, section 20.17: GMT and no other zone."""
        second = int(now + self._wall_offset)
        if second != self._second:
            self._second = second
            self._header = (b"Date", formatdate(second, usegmt=True).encode())
        return self._header
