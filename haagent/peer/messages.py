"""Sans-IO: the messages of the peer channel, as array-like MessagePack."""

import msgspec

from haagent.effects import NodeRole
from haagent.errors import PeerProtocolError

MAX_MESSAGE = 2048  # bytes
MAX_TEXT = 200  # characters of a reason


class _Message(msgspec.Struct, array_like=True, tag=True, frozen=True):
    """An array that begins with the tag; fields that a later version adds at the end are skipped."""


class Hello(_Message, tag="HELLO", frozen=True):
    """The first message of each side: who speaks; `addresses` are its IPv4 sources of VRRP as numbers."""

    node: str
    addresses: tuple[int, ...]
    role: NodeRole
    epoch: int
    priority: int
    ready: bool
    synced: bool
    penalty: int = 0
    addresses6: tuple[bytes, ...] = ()  # link-local sources, packed

    @property
    def sources(self) -> frozenset[int]:
        """All its source addresses as numbers."""
        return frozenset((*self.addresses, *map(int.from_bytes, self.addresses6)))


class Health(_Message, tag="HEALTH", frozen=True):
    """The heartbeat, and at once whenever one of its values changes."""

    role: NodeRole
    epoch: int
    priority: int  # effective
    ready: bool
    synced: bool
    penalty: int = 0  # how much of its priority failed checks have cost


class Take(_Message, tag="TAKE", frozen=True):
    """From the master: take over now, I let go when you have."""

    epoch: int
    reason: str = ""


class Taken(_Message, tag="TAKEN", frozen=True):
    """I have taken over with this epoch."""

    epoch: int


class Yield(_Message, tag="YIELD", frozen=True):
    """I was master until now and have stepped back."""

    epoch: int


class Lost(_Message, tag="LOST", frozen=True):
    """I can no longer serve (link down, SIP core dead): take over at once."""

    epoch: int
    reason: str


class Bye(_Message, tag="BYE", frozen=True):
    """The connection closes on purpose: no sign of death."""

    reason: str


Message = Hello | Health | Take | Taken | Yield | Lost | Bye

_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_encoder = msgspec.msgpack.Encoder()


def encode(message: Message) -> bytes:
    """The body of a frame."""
    return _encoder.encode(message)


def decode(body: bytes) -> Message:
    """Read the body of a frame; raises PeerProtocolError."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerProtocolError(f"not a message: {error}") from error
