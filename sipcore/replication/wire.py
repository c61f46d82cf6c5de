"""Sans-IO: the bodies of the replication frames: array-like, so a field may be appended with a default."""

from struct import Struct
from typing import Annotated, NamedTuple, TypeVar

import msgspec

from sipcore.errors import ReplicationError
from sipcore.replication.capability import Record
from sipcore.replication.digest import BUCKETS
from sipcore.role import Role

_BATCH = Struct(">QQI")
T = TypeVar("T")


class Intro(msgspec.Struct, array_like=True):
    """The first frame of each side: who speaks, and which records it understands."""

    node: str
    incarnation: int  # names the log: random per process start
    role: Role
    epoch: int
    sequence: int
    capabilities: dict[int, int]  # kind -> version
    compress: bool = False  # the speaker wants this link compressed; since version 3


class Resume(msgspec.Struct, array_like=True):
    """Where the receiver stands in the log named by the intro; None: it has nothing, send a snapshot."""

    sequence: int | None


class Start(msgspec.Struct, array_like=True):
    """How the sender goes on: the tail begins at `first`; with `target` (and the snapshot) one is in sync."""

    snapshot: bool
    first: int
    target: int
    keys: int = 0  # of the snapshot, for the progress
    round: int = 0  # grows with each start of a session; acks of an earlier one do not count


class Ack(msgspec.Struct, array_like=True):
    """Cumulative: all up to `sequence` is applied, and `chunks` frames of the snapshot."""

    sequence: int
    chunks: int = 0
    round: int = 0


class Heartbeat(msgspec.Struct, array_like=True):
    """Sent each interval when nothing else says that the node lives."""

    role: Role
    epoch: int
    sequence: int
    synced: bool = False  # the speaker holds all that its peer had


class Refuse(msgspec.Struct, array_like=True):
    """Why the speaker closes the session."""

    reason: str


class Digest(msgspec.Struct, array_like=True):
    """Kind to the sum over its records, true at this point of the speaker's log."""

    roots: dict[int, int]


class Ask(msgspec.Struct, array_like=True):
    """Without buckets: the sums of all of them; else what is in these; kind 0: your digest, now."""

    kind: int
    buckets: Annotated[list[int], msgspec.Meta(max_length=BUCKETS)] = []


class Sums(msgspec.Struct, array_like=True):
    """The sums of all buckets of a kind, 8 bytes each."""

    kind: int
    sums: Annotated[bytes, msgspec.Meta(min_length=BUCKETS * 8, max_length=BUCKETS * 8)]


class Keys(msgspec.Struct, array_like=True):
    """All that is in these buckets, which may be fewer than were asked for."""

    kind: int
    buckets: Annotated[list[int], msgspec.Meta(max_length=BUCKETS)]
    stamps: dict[bytes, int]


class Exchange(msgspec.Struct, array_like=True):
    """The speaker's records; a payload None: it has none, deleted in `epoch` or (-1) never known."""

    epoch: int
    records: list[Record]


class Difference(NamedTuple):
    """A key that is not the same on both nodes."""

    kind: int
    key: bytes
    at_follower: bool  # whether there is a record at all
    at_leader: bool


class Compared(msgspec.Struct, array_like=True):
    """Kind to the number of keys that were different; all 0: both hold the same."""

    divergent: dict[int, int]
    examples: list[Difference] = []


class Batch(NamedTuple):
    """Records in a row; `age` is the time in seconds that they waited before they were sent."""

    first: int
    epoch: int
    age: float
    records: list[Record]


def encode(body: msgspec.Struct) -> bytes:
    """The bytes of any of these structs."""
    return msgspec.msgpack.encode(body)


def decode(body: bytes, form: type[T]) -> T:
    """The struct in these bytes; raises ReplicationError when they are not one."""
    try:
        return msgspec.msgpack.decode(body, type=form)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ReplicationError(f"{form.__name__}: {error}") from None


def batch_head(first: int, epoch: int, age: float) -> bytes:
    """What stands before the records; made per sending, while the records are encoded once."""
    return _BATCH.pack(first, epoch, min(max(int(age * 1000), 0), 0xFFFFFFFF))


_decode_records = msgspec.msgpack.Decoder(list[Record]).decode


def decode_batch(body: bytes) -> Batch:
    """The records of a RECORDS or CHUNK frame."""
    if len(body) < _BATCH.size:
        raise ReplicationError(f"batch of {len(body)} bytes is shorter than its head of {_BATCH.size}")
    first, epoch, age_ms = _BATCH.unpack_from(body)
    try:
        return Batch(first, epoch, age_ms / 1000, _decode_records(memoryview(body)[_BATCH.size :]))
    except msgspec.MsgspecError as error:
        raise ReplicationError(f"batch at {first}: {error}") from None
