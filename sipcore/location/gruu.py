"""Sans-IO: globally routable user agent URIs, RFC 5627: made at registration, understood at lookup.

A public GRUU is the AOR with `;gr=` and the instance. A temporary one (section 3.2) is
`sip:tgruu.TOKEN@domain;gr`. The token is user, CSeq, and a digest of instance and Call-ID, encrypted under a
synthetic nonce that is the MAC of all of it (as in RFC 5297). So both nodes of a pair read the tokens of each
other and keep none; each REGISTER gives a new one that cannot be linked to the one before; and when an
instance registers with another Call-ID, the digest no longer fits any binding: the old ones are invalid
(section 5.2).
"""

import hmac
from base64 import b32decode, b32encode
from binascii import Error as Base32Error
from hashlib import blake2b, shake_128
from typing import NamedTuple

from sipcore.message import Uri
from sipcore.message.uri import unescape

PREFIX = b"tgruu."
_MAC = 10  # bytes: 80 bits, also the nonce
_DIGEST = 8
_CSEQ = 4
_HEAD = _DIGEST + _CSEQ
_PLAIN = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()[]/:&+$"
)  # pvalue


class Meaning(NamedTuple):
    """What a GRUU leads to: a binding of this AOR with this instance, or with this digest."""

    aor: bytes
    instance: bytes
    digest: bytes


class Gruus:
    """Makes and reads GRUUs; `secret` is the same on both nodes of a pair."""

    def __init__(self, secret: bytes) -> None:
        self._mac_key = hmac.digest(secret, b"gruu mac", "sha256")
        self._stream_key = hmac.digest(secret, b"gruu stream", "sha256")

    @staticmethod
    def public(aor: bytes, instance: bytes) -> bytes:
        """The public GRUU, section 5.1: the same for as long as the instance has its name."""
        name = instance.removeprefix(b"<").removesuffix(b">")
        return aor + b";gr=" + b"".join([b"%c" % c if c in _PLAIN else b"%%%02X" % c for c in name])

    def temporary(self, aor: bytes, instance: bytes, call_id: bytes, cseq: int) -> bytes:
        """The temporary GRUU that belongs to one REGISTER, section 5.2; empty for an AOR without a user."""
        user, at, domain = aor.removeprefix(b"sip:").rpartition(b"@")
        if not at:
            return b""
        plain = digest_of(instance, call_id) + cseq.to_bytes(_CSEQ, "big") + user
        mac = self._mac(domain, plain)
        token = b32encode(mac + self._stream(mac, plain)).rstrip(b"=").lower()
        return b"sip:%b%b@%b;gr" % (PREFIX, token, domain)

    def read(self, uri: Uri, aor: bytes) -> Meaning | None:
        """What a URI with `gr` means; `aor` is what it would be without. None: we never made it."""
        instance = uri.params.get(b"gr")
        if instance:
            return Meaning(aor, b"<" + unescape(instance) + b">", b"")
        user, _, domain = aor.removeprefix(b"sip:").rpartition(b"@")
        token = user.lower()
        if not token.startswith(PREFIX):
            return None
        try:
            data = b32decode(token[len(PREFIX) :].upper() + b"=" * (-(len(token) - len(PREFIX)) % 8))
        except Base32Error:
            return None
        mac, sealed = data[:_MAC], data[_MAC:]
        plain = self._stream(mac, sealed)
        if len(plain) <= _HEAD or not hmac.compare_digest(mac, self._mac(domain, plain)):
            return None
        return Meaning(b"sip:%b@%b" % (plain[_HEAD:], domain), b"", plain[:_DIGEST])

    def _mac(self, domain: bytes, plain: bytes) -> bytes:
        return hmac.digest(self._mac_key, domain + b"\n" + plain, "sha256")[:_MAC]

    def _stream(self, nonce: bytes, data: bytes) -> bytes:
        size = len(data)
        pad = shake_128(self._stream_key + nonce).digest(size)
        return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")


def digest_of(instance: bytes, call_id: bytes) -> bytes:
    """What a temporary GRUU knows of its registration."""
    return blake2b(instance + b"\n" + call_id, digest_size=_DIGEST).digest()
