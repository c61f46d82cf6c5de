"""Sans-IO: used nonce counts on the replication channel, so that a replay is refused by either node."""

from typing import Annotated

import msgspec

from sipcore.auth.nonce import MAX_COUNT, Nonces, Window
from sipcore.replication.capability import Kind

NONCE_SIZE = 44


class WireWindow(msgspec.Struct, array_like=True, gc=False):
    """The window of one nonce; new fields go to the end, with a default."""

    highest: Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
    used: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class NonceReplica:
    """Windows only fill up, so merging is a union; each node forgets them when their life is over."""

    kind = Kind.NONCE
    version = 1

    def __init__(self, nonces: Nonces) -> None:
        self._nonces = nonces
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(WireWindow).decode

    def pack(self, key: bytes, now: float) -> bytes | None:
        """The window of a nonce, None when its life is over."""
        window = self._nonces.window(key)
        return self._encode(WireWindow(window.highest, window.used)) if window is not None else None

    def apply(self, key: bytes, payload: bytes, epoch: int, now: float) -> bool:
        """What the peer saw used is used."""
        wire = self._decode(payload)
        if len(key) != NONCE_SIZE:
            return False
        return self._nonces.merge(key, Window(wire.highest, wire.used), now)

    def delete(self, key: bytes, epoch: int, now: float) -> bool:
        """Nothing: what is used up stays so until its life is over."""
        return False

    def keys(self) -> list[bytes]:
        """All nonces of which something is known."""
        return self._nonces.tracked()
