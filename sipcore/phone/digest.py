"""Sans-IO: the client's half of digest authentication, RFC 7616 section 3.4."""

import re
from dataclasses import dataclass
from hashlib import new

_PARAM = re.compile(rb'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_HASHES = {b"MD5": "md5", b"SHA-256": "sha256"}


@dataclass(slots=True)
class Challenge:
    """What a server wants to be answered; `used` counts how often we have (the nonce count)."""

    realm: bytes
    nonce: bytes
    algorithm: bytes
    qop: bytes
    opaque: bytes | None
    stale: bool
    proxy: bool  # 407: the answer goes into Proxy-Authorization
    used: int = 0

    def answer(self, user: bytes, password: bytes, *, method: bytes, uri: bytes, cnonce: bytes) -> bytes:
        """The value of Authorization for one request."""
        self.used += 1
        nc = b"%08x" % self.used
        ha1 = self._hash(b":".join((user, self.realm, password)))
        ha2 = self._hash(method + b":" + uri)
        middle = b":".join((self.nonce, nc, cnonce, b"auth")) if self.qop else self.nonce
        response = self._hash(b":".join((ha1, middle, ha2)))
        value = b'Digest username="%b", realm="%b", nonce="%b", uri="%b", response="%b", algorithm=%b' % (
            user,
            self.realm,
            self.nonce,
            uri,
            response,
            self.algorithm,
        )
        if self.qop:
            value += b', qop=auth, nc=%b, cnonce="%b"' % (nc, cnonce)
        if self.opaque is not None:
            value += b', opaque="%b"' % self.opaque
        return value

    def _hash(self, data: bytes) -> bytes:
        return new(_HASHES[self.algorithm], data, usedforsecurity=False).hexdigest().encode()


def choose(values: list[bytes], *, proxy: bool) -> Challenge | None:
    """The first challenge that we can answer (RFC 8760 section 2.4: they stand in the server's order)."""
    for value in values:
        scheme, _, rest = value.strip().partition(b" ")
        params = {name.lower(): quoted or token for name, quoted, token in _PARAM.findall(rest)}
        algorithm = params.get(b"algorithm", b"MD5").upper()
        qops = [q.strip() for q in params.get(b"qop", b"").split(b",") if q.strip()]
        usable = scheme.lower() == b"digest" and algorithm in _HASHES and b"nonce" in params
        if usable and (not qops or b"auth" in qops):
            return Challenge(
                realm=params.get(b"realm", b""),
                nonce=params[b"nonce"],
                algorithm=algorithm,
                qop=b"auth" if qops else b"",
                opaque=params.get(b"opaque"),
                stale=params.get(b"stale", b"").lower() == b"true",
                proxy=proxy,
            )
    return None
