"""Sans-IO: the challenge both ways with the pre-shared key, before anything of a peer is parsed.

    dialer                                listener
    HELLO  magic, versions, nonce   -->
                                    <--   HELLO
    PROOF  0, HMAC(key, ...)        -->   checks it; wrong: one REFUSAL byte, closes
                                    <--   PROOF
All of it has a fixed size. The proof covers both hellos and the side that gives it, so it can be neither
replayed nor reflected; the listener proves nothing to a dialer that has not proved itself. Each direction of
the session has a key of its own, made of the pre-shared key and both nonces.
"""

import hmac
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct

from sipcore.errors import ReplicationError

MAGIC = b"SIPREP"
VERSION = 3  # the newest that this node speaks: 2 compares what the nodes hold, 3 may compress
OLDEST = 1  # the oldest
NONCE_SIZE = 32
MIN_KEY_SIZE = 16
_HELLO = Struct(f">6sBB{NONCE_SIZE}s")
_PROOF = Struct(">B32s")


class Refusal(IntEnum):
    """First byte of a PROOF; anything but PROOF says why there is none."""

    PROOF = 0
    WRONG_KEY = 1
    VERSION = 2


REASONS = {Refusal.WRONG_KEY: "has another key", Refusal.VERSION: "speaks no common version"}


@dataclass(slots=True)
class SessionKeys:
    """What the two sides agreed on."""

    version: int
    send: bytes
    receive: bytes
    rest: bytes  # what the peer sent behind its proof: the first frames


class Handshake:
    """One side of the challenge: `output` is to be written, `feed` returns the keys once both have proved."""

    def __init__(
        self, key: bytes, nonce: bytes, *, dialer: bool, versions: tuple[int, int] = (OLDEST, VERSION)
    ) -> None:
        if len(key) < MIN_KEY_SIZE:
            raise ReplicationError(f"key of {len(key)} bytes is shorter than {MIN_KEY_SIZE}")
        self._key = key
        self._dialer = dialer
        self._versions = versions
        self._hello = _HELLO.pack(MAGIC, *versions, nonce)
        self._peer_hello = b""
        self._version = 0
        self._buffer = b""
        self.output = self._hello

    def take(self) -> bytes:
        """What is to be written now."""
        data, self.output = self.output, b""
        return data

    def feed(self, data: bytes) -> SessionKeys | None:
        """Bytes of the peer; raises ReplicationError when it is refused (`output` may hold the refusal)."""
        self._buffer += data
        if not self._peer_hello:
            # the first bytes already tell a stranger
            if not MAGIC.startswith(self._buffer[: len(MAGIC)]):
                raise ReplicationError("peer does not speak this protocol")
            if len(self._buffer) < _HELLO.size:
                return None
            self._on_hello()
        if len(self._buffer) < _PROOF.size:
            return None
        self._on_proof()
        return self._keys()

    def _on_hello(self) -> None:
        hello, self._buffer = self._buffer[: _HELLO.size], self._buffer[_HELLO.size :]
        _, oldest, newest, nonce = _HELLO.unpack(hello)
        my_oldest, my_newest = self._versions
        self._version = min(newest, my_newest)
        if self._version < max(oldest, my_oldest):
            reason = f"peer speaks version {oldest}..{newest}, this node {my_oldest}..{my_newest}"
            self._refuse(Refusal.VERSION, reason)
        if nonce == self._hello[-NONCE_SIZE:]:
            raise ReplicationError("peer sent our own nonce back")
        self._peer_hello = hello
        if self._dialer:
            self.output += _PROOF.pack(Refusal.PROOF, self._proof(dialer=True))

    def _on_proof(self) -> None:
        proof, self._buffer = self._buffer[: _PROOF.size], self._buffer[_PROOF.size :]
        code, digest = _PROOF.unpack(proof)
        if code != Refusal.PROOF:
            reason = next((text for refusal, text in REASONS.items() if refusal == code), f"gave code {code}")
            raise ReplicationError(f"peer refused: it {reason}")
        if not hmac.compare_digest(digest, self._proof(dialer=not self._dialer)):
            self._refuse(Refusal.WRONG_KEY, "peer has another key")
        if not self._dialer:
            self.output += _PROOF.pack(Refusal.PROOF, self._proof(dialer=False))

    def _refuse(self, code: Refusal, reason: str) -> None:
        self.output += _PROOF.pack(code, bytes(32))
        raise ReplicationError(reason)

    def _both_hellos(self) -> bytes:
        pair = (self._hello, self._peer_hello)
        return b"".join(pair if self._dialer else reversed(pair))

    def _proof(self, *, dialer: bool) -> bytes:
        label = b"dialer" if dialer else b"listener"
        return hmac.digest(self._key, b"proof " + label + self._both_hellos(), "sha256")

    def _keys(self) -> SessionKeys:
        dialer, listener = (
            hmac.digest(self._key, b"session " + label + self._both_hellos(), "sha256")
            for label in (b"dialer", b"listener")
        )
        send, receive = (dialer, listener) if self._dialer else (listener, dialer)
        return SessionKeys(self._version, send, receive, self._buffer)
