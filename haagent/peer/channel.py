"""Sans-IO: one authenticated session with the peer over a byte stream, and its fast hello datagrams.

    greeting   magic, version, nonce (32 bytes): both sides send it at once
    frame      length (2 bytes), body, MAC (16 bytes), from then on

The key of each direction is HMAC-SHA256(pre-shared key, label + sender's nonce + receiver's nonce), so that
the first frame that verifies proves the key and a recorded session cannot be played again; the MAC covers a
counter. Whatever else arrives ends the session with a reason, never with an exception; nothing that is not
authenticated is parsed.

Deviations: frames are authenticated, not encrypted (roles and epochs are no secret).
"""

import hmac
import struct

from haagent.errors import AuthenticationError, PeerProtocolError
from haagent.peer.messages import MAX_MESSAGE, Message, decode, encode

MAGIC = b"HAP1"
NONCE_SIZE = 32
MAC_SIZE = 16
GREETING_SIZE = len(MAGIC) + NONCE_SIZE
HELLO_SIZE = len(MAGIC) + 8 + MAC_SIZE

_LENGTH = struct.Struct("!H")
_COUNTER = struct.Struct("!Q")
_HELLO_MAGIC = b"HAH1"


class PeerChannel:
    """One session; make a new one for each connection."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        """`nonce`: 32 fresh random bytes."""
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"nonce of {len(nonce)} bytes, not {NONCE_SIZE}")
        self._key = key
        self._nonce = nonce
        self._buffer = bytearray()
        self._send_key = b""
        self._receive_key = b""
        self._sent = 0
        self._received = 0
        self._hellos_sent = 0
        self._last_hello = 0
        self.closed: str | None = None
        self.skipped = 0

    @property
    def authenticated(self) -> bool:
        """Whether the peer has proved that it knows the key."""
        return self._received > 0 and self.closed is None

    def greeting(self) -> bytes:
        """The first bytes to send on a new connection."""
        return MAGIC + self._nonce

    def seal(self, message: Message) -> bytes:
        """One frame to send; b"" before the peer's greeting has come."""
        if not self._send_key:
            return b""
        body = encode(message)
        self._sent += 1
        return _LENGTH.pack(len(body)) + body + _mac(self._send_key, b"frame", self._sent, body)

    def receive(self, data: bytes) -> list[Message]:
        """The messages completed by these bytes; look at `closed` afterwards."""
        if self.closed is not None:
            return []
        self._buffer += data
        messages: list[Message] = []
        try:
            if not self._receive_key and not self._take_greeting():
                return messages
            while (body := self._take_frame()) is not None:
                self._decode_into(messages, body)
        except (AuthenticationError, PeerProtocolError) as error:
            self.closed = str(error)
            self._buffer.clear()
        return messages

    @property
    def greeted(self) -> bool:
        """Whether the peer's greeting has come, so that frames may be sent."""
        return bool(self._send_key)

    def hello(self) -> bytes:
        """One fast hello datagram; b"" while there is no session."""
        if not self._send_key or self.closed is not None:
            return b""
        self._hellos_sent += 1
        mac = _mac(self._send_key, b"hello", self._hellos_sent, b"")
        return _HELLO_MAGIC + _COUNTER.pack(self._hellos_sent) + mac

    def is_hello(self, datagram: bytes) -> bool:
        """Whether this is the peer's, of this session, and newer than all before."""
        if len(datagram) != HELLO_SIZE or datagram[:4] != _HELLO_MAGIC or not self.authenticated:
            return False
        (counter,) = _COUNTER.unpack_from(datagram, 4)
        if counter <= self._last_hello:
            return False
        if not hmac.compare_digest(datagram[12:], _mac(self._receive_key, b"hello", counter, b"")):
            return False
        self._last_hello = counter
        return True

    def _decode_into(self, messages: list[Message], body: bytes) -> None:
        """What an authenticated peer of another version says is skipped and counted."""
        try:
            messages.append(decode(body))
        except PeerProtocolError:
            self.skipped += 1

    def _take_greeting(self) -> bool:
        head = bytes(self._buffer[: len(MAGIC)])
        if head != MAGIC[: len(head)]:
            raise PeerProtocolError(f"greeting begins with {head!r}, not with {MAGIC!r}")
        if len(self._buffer) < GREETING_SIZE:
            return False
        theirs = bytes(self._buffer[len(MAGIC) : GREETING_SIZE])
        del self._buffer[:GREETING_SIZE]
        if theirs == self._nonce:
            raise AuthenticationError("our own nonce came back")
        self._send_key = _direction_key(self._key, self._nonce, theirs)
        self._receive_key = _direction_key(self._key, theirs, self._nonce)
        return True

    def _take_frame(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > MAX_MESSAGE:
            raise PeerProtocolError(f"frame of {length} bytes, more than {MAX_MESSAGE}")
        end = _LENGTH.size + length + MAC_SIZE
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_LENGTH.size : _LENGTH.size + length])
        mac = bytes(self._buffer[_LENGTH.size + length : end])
        if not hmac.compare_digest(mac, _mac(self._receive_key, b"frame", self._received + 1, body)):
            raise AuthenticationError("the peer's MAC is wrong: another key, or a frame was changed")
        self._received += 1
        del self._buffer[:end]
        return body


def _direction_key(key: bytes, sender: bytes, receiver: bytes) -> bytes:
    return hmac.digest(key, b"haagent peer channel 1" + sender + receiver, "sha256")


def _mac(key: bytes, kind: bytes, counter: int, body: bytes) -> bytes:
    return hmac.digest(key, kind + _COUNTER.pack(counter) + body, "sha256")[:MAC_SIZE]
