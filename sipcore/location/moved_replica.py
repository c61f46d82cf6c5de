"""Sans-IO: moves of connections on the replication channel: a call finds its phone after two takeovers, too.

A dialog may name a connection of a node that was master two takeovers ago; each node in between knows only
the move that it saw itself. So one record per move: the old connection is the key, the new one the value.
"""

import msgspec

from sipcore.location.moved import MovedFlows
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.transport.layer import Hop


class FlowReplica:
    """Moves only add up; each node forgets the oldest by itself."""

    kind = Kind.FLOW
    version = 1

    def __init__(self, moved: MovedFlows, journal: Journal) -> None:
        self._moved = moved
        self._journal = journal
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Hop).decode
        moved.followers.append(self._on_moved)

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The new connection; None when the move was forgotten."""
        new = self._moved.heir_of(self._decode(key))
        return self._encode(new) if new is not None else None

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """The peer has seen this move."""
        return self._moved.learn(self._decode(key), self._decode(payload))

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """Nothing: time and number end them."""
        return False

    def keys(self) -> list[bytes]:
        """All moves."""
        return [self._encode(old) for old in self._moved.all()]

    def _on_moved(self, old: Hop, _new: Hop) -> None:
        if self._journal.capabilities:
            self._journal.touch(Kind.FLOW, self._encode(old))
