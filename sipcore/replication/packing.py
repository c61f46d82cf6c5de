"""Sans-IO: compression of a far link: one deflate stream per direction (RFC 1951), cut into frames.

    u32 length of what was packed | deflate, up to a sync flush, without the four bytes that end each flush

A frame is packed before its MAC is made and unpacked after the MAC was right: no stranger's byte gets here.
The length is a promise: it is bounded before a byte is unpacked; what unpacks to more or less is refused.
"""

import zlib
from struct import Struct

from sipcore.errors import ReplicationError

LEVEL = 1  # the fastest: the master's time is dearer than the last tenth of the bytes
WORTH = 64  # bytes; acks and heartbeats are shorter
_RAW = -zlib.MAX_WBITS  # no header and no sum: the MAC says more
_FLUSHED = b"\x00\x00\xff\xff"  # the end of each sync flush, as RFC 7692 section 7.2.1 leaves it out
_LENGTH = Struct(">I")


def most_packed(size: int) -> int:
    """The most bytes that `size` bytes can become: stored blocks of 16 KiB at the shortest."""
    return _LENGTH.size + size + 6 * (size // 16383 + 2)


class Packer:
    """What is sent: `pack` in the order in which the peer unpacks."""

    def __init__(self) -> None:
        self._stream = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW)
        self.plain = 0  # bytes before
        self.packed = 0  # and after

    def pack(self, data: bytes) -> bytes:
        """One frame's worth; the stream goes on, so what was said before costs little when said again."""
        packed = self._stream.compress(data) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        packed = _LENGTH.pack(len(data)) + packed.removesuffix(_FLUSHED)
        self.plain += len(data)
        self.packed += len(packed)
        return packed


class Unpacker:
    """What is received; holds 32 KiB of the past, and gives at most `limit` bytes at a time."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stream = zlib.decompressobj(_RAW)
        self.plain = 0
        self.packed = 0

    def unpack(self, packed: bytes) -> bytes:
        """What `pack` was given; raises ReplicationError for a bomb, a broken stream and a cut one."""
        if len(packed) < _LENGTH.size:
            raise ReplicationError(f"packed frame of {len(packed)} bytes is shorter than {_LENGTH.size}")
        (length,) = _LENGTH.unpack_from(packed)
        if not 0 < length <= self._limit:
            raise ReplicationError(f"packed frame says {length} bytes, which is not in 1..{self._limit}")
        try:
            # one more than promised: so all of the input is read, and too much is seen
            data = self._stream.decompress(packed[_LENGTH.size :] + _FLUSHED, length + 1)
        except zlib.error as error:
            raise ReplicationError(f"packed frame: {error}") from None
        if len(data) != length:
            more = "more" if len(data) > length else f"only {len(data)}"
            raise ReplicationError(f"packed frame says {length} bytes and holds {more}")
        if self._stream.eof:
            raise ReplicationError("packed frame ends the stream")
        self.plain += length
        self.packed += len(packed)
        return data


def ratio(stream: Packer | Unpacker | None) -> float | None:
    """How many bytes one byte on the wire stands for; None: nothing has been packed."""
    return round(stream.plain / stream.packed, 2) if stream is not None and stream.packed else None
