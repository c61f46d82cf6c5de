"""Sans-IO: the frames of the replication stream: length, counter-bound MAC, type, body.

    u32 length of (type, body, MAC) | u8 type | body | first 16 bytes of HMAC-SHA256

The MAC is over the frame's counter (u64, never sent), its length, type and body, with a key of this session
and this direction: a frame that was cut, changed, repeated, left out, reordered or turned round is refused
before its body is read. The length alone is read unproven; it is bounded by MAX_FRAME.
"""

import hmac
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct

from sipcore.errors import ReplicationError
from sipcore.replication.packing import WORTH, Packer, Unpacker, most_packed

MAX_FRAME = 4 * 1024 * 1024
MAC_SIZE = 16
MAX_BODY = MAX_FRAME - MAC_SIZE  # its type included
_LENGTH = Struct(">I")
_COUNTER = Struct(">Q")


class FrameType(IntEnum):
    """What a frame says; bodies in wire.py."""

    INTRO = 1  # who I am, after the proof
    RESUME = 2  # where I stand in your log
    START = 3  # how I go on: from there, or by a snapshot
    RECORDS = 4
    CHUNK = 5  # records of a snapshot
    SNAPSHOT_END = 6
    ACK = 7
    HEARTBEAT = 8
    REFUSE = 9  # why I close
    # since version 2; a node skips a frame that it does not know
    DIGEST = 10  # the sums over my records, at this point of my log
    ASK = 11  # I have other ones: show me more
    SUMS = 12  # the sums of all buckets
    KEYS = 13  # what is in these buckets, and in which version
    EXCHANGE = 14  # my records of these keys; send me yours
    REPAIR = 15  # the records as they are after yours
    COMPARED = 16  # how many keys were different
    # since version 3, where both want it
    PACKED = 17  # type and body of another frame, compressed


class FrameWriter:
    """Closes frames with the MAC of one direction of one session."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counter = 0
        self.packer: Packer | None = None  # from when on both sides know that they compress

    def frame(self, kind: FrameType, *parts: bytes) -> bytes:
        """One frame whose body is these parts in a row; packed, where both want it and it is worth it."""
        body = b"".join((bytes((kind,)), *parts))
        if len(body) > MAX_BODY:
            raise ReplicationError(f"frame of {len(body)} bytes is over the limit of {MAX_FRAME}")
        if self.packer is not None and len(body) >= WORTH and most_packed(len(body)) < MAX_BODY:
            body = bytes((FrameType.PACKED,)) + self.packer.pack(body)
        head = _LENGTH.pack(len(body) + MAC_SIZE)
        mac = frame_mac(self._key, self._counter, head, body)
        self._counter += 1
        return b"".join((head, body, mac))


class FrameReader:
    """Cuts a byte stream into proven frames; holds at most one frame and one read."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._counter = 0
        self._buffer = bytearray()
        self.unpacker: Unpacker | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are whole now; raises ReplicationError at the first that is not ours."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= 4:
                (length,) = _LENGTH.unpack_from(self._buffer, start)
                if not MAC_SIZE < length <= MAX_FRAME:
                    raise ReplicationError(f"frame length {length} is not in {MAC_SIZE + 1}..{MAX_FRAME}")
                end = start + 4 + length
                if len(self._buffer) < end:
                    break
                frame = self._open(bytes(self._buffer[start:end]))
                start = end
                yield frame
        finally:
            del self._buffer[:start]

    def _open(self, frame: bytes) -> tuple[int, bytes]:
        head, body, mac = frame[:4], frame[4:-MAC_SIZE], frame[-MAC_SIZE:]
        if not hmac.compare_digest(mac, frame_mac(self._key, self._counter, head, body)):
            raise ReplicationError(f"frame {self._counter} has a wrong MAC")
        self._counter += 1
        return self._unpack(body[1:]) if body[0] == FrameType.PACKED else (body[0], body[1:])

    def _unpack(self, packed: bytes) -> tuple[int, bytes]:
        if self.unpacker is None:
            raise ReplicationError("packed frame on a link that is not compressed")
        body = self.unpacker.unpack(packed)
        if body[0] == FrameType.PACKED:
            raise ReplicationError("packed frame in a packed frame")
        return body[0], body[1:]


def frame_mac(key: bytes, counter: int, head: bytes, body: bytes) -> bytes:
    """The truncated MAC of one frame; RFC 2104 section 5 allows half the digest."""
    return hmac.digest(key, _COUNTER.pack(counter) + head + body, "sha256")[:MAC_SIZE]
