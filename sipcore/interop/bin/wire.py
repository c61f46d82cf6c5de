"""Sans-IO: a BIN datagram of OpenSIPS 1.10/1.11: marker, checksum, module, type, then fields without tags.

    0  4  "P4CK"
    4  4  CRC-32 of all that follows, without its final complement
    8  4  length of the module's name, then the name, then the packet type (4 bytes), then the fields

Numbers are 4 bytes, in the byte order of the sender's machine: little endian, as on x86. A string is its
length as such a number, then its bytes. The reader must know which fields there are.
"""

from struct import Struct
from zlib import crc32

from sipcore.errors import BinError

MARKER = b"P4CK"
MAX_DATAGRAM = 65515  # OpenSIPS takes no longer one
MAX_MODULE = 16  # bytes; "dialog" and "ul" are those that there are
_INT = Struct("<i")
_UNSIGNED = Struct("<I")
_TIME = Struct("<q")
_HEADER = 8


def checksum(body: bytes) -> int:
    """CRC-32 as OpenSIPS has it: without the complement at the end."""
    return crc32(body) ^ 0xFFFFFFFF


class BinWriter:
    """Builds one datagram, field by field."""

    def __init__(self, module: bytes, kind: int) -> None:
        self._parts: list[bytes] = []
        self.string(module).signed(kind)

    def string(self, value: bytes) -> "BinWriter":
        """A string; an absent one is empty."""
        self._parts += (_INT.pack(len(value)), value)
        return self

    def signed(self, value: int) -> "BinWriter":
        """A signed number."""
        self._parts.append(_INT.pack(value))
        return self

    def unsigned(self, value: int) -> "BinWriter":
        """A number whose upper half is used, such as a CSeq or a set of flags."""
        self._parts.append(_UNSIGNED.pack(value))
        return self

    def time(self, seconds: int) -> "BinWriter":
        """A time_t: the memory of an 8-byte number, as a string."""
        return self.string(_TIME.pack(seconds))

    def number(self, value: int) -> "BinWriter":
        """The memory of a 4-byte number, as a string."""
        return self.string(_INT.pack(value))

    def datagram(self) -> bytes:
        """The whole of it; a BinError says that it is too long."""
        body = b"".join(self._parts)
        if len(body) > MAX_DATAGRAM - _HEADER:
            raise BinError(f"{len(body) + _HEADER} bytes are over {MAX_DATAGRAM}")
        return MARKER + _UNSIGNED.pack(checksum(body)) + body


class BinReader:
    """Reads one datagram, field by field; each length is checked before its bytes are taken."""

    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_DATAGRAM:
            raise BinError(f"{len(data)} bytes are over {MAX_DATAGRAM}")
        if data[:4] != MARKER:
            raise BinError("it does not begin with P4CK")
        if len(data) < _HEADER or _UNSIGNED.unpack_from(data, 4)[0] != checksum(data[_HEADER:]):
            raise BinError("wrong checksum")
        self._data = data
        self._at = _HEADER
        self.module = self.string()
        if len(self.module) > MAX_MODULE:
            raise BinError(f"a module's name of {len(self.module)} bytes is over {MAX_MODULE}")
        self.kind = self.signed()

    def string(self) -> bytes:
        """A string."""
        size = self.signed()
        if not 0 <= size <= len(self._data) - self._at:
            raise BinError(f"a string of {size} bytes where {len(self._data) - self._at} are left")
        return self._take(size)

    def signed(self) -> int:
        """A signed number."""
        value: int = _INT.unpack(self._take(4))[0]
        return value

    def unsigned(self) -> int:
        """A number whose upper half is used."""
        value: int = _UNSIGNED.unpack(self._take(4))[0]
        return value

    def time(self) -> int:
        """A time_t."""
        value: int = _TIME.unpack(self._memory(8))[0]
        return value

    def number(self) -> int:
        """The memory of a 4-byte number, as a string."""
        value: int = _INT.unpack(self._memory(4))[0]
        return value

    def end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._data):
            raise BinError(f"{len(self._data) - self._at} bytes after the last field")

    def _memory(self, size: int) -> bytes:
        value = self.string()
        if len(value) != size:
            raise BinError(f"{len(value)} bytes where {size} are the memory of a number")
        return value

    def _take(self, size: int) -> bytes:
        at = self._at
        if size > len(self._data) - at:
            raise BinError(f"it ends {size - (len(self._data) - at)} bytes too early")
        self._at = at + size
        return self._data[at : self._at]
