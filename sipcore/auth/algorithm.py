"""Sans-IO: the hash functions of digest authentication, RFC 7616 section 6.1 and RFC 8760 section 2.1."""

import hashlib
from collections.abc import Callable
from enum import IntEnum


class Algorithm(IntEnum):
    """Hash functions, the weakest first; the numbers are those of the columns in order."""

    MD5 = 0
    SHA_256 = 1
    SHA_512_256 = 2


MD5, SHA_256, SHA_512_256 = Algorithm


def _hex(name: str) -> Callable[[bytes], bytes]:
    def digest(data: bytes) -> bytes:
        return hashlib.new(name, data, usedforsecurity=False).hexdigest().encode()

    return digest


def _hex_md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()


def _hex_sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


HASHES: dict[Algorithm, Callable[[bytes], bytes]] = {MD5: _hex_md5, SHA_256: _hex_sha256}
"""Those that this host can compute: SHA-512/256 is OpenSSL's (SHA-512 cut to 256 bits is another hash)."""

if "sha512_256" in hashlib.algorithms_available:
    HASHES[SHA_512_256] = _hex("sha512_256")

NAMES = {MD5: b"MD5", SHA_256: b"SHA-256", SHA_512_256: b"SHA-512-256"}
BY_NAME = {name.lower(): algorithm for algorithm, name in NAMES.items()}


def ha1(user: bytes, realm: bytes, password: bytes, algorithm: Algorithm) -> bytes:
    """H(user:realm:password) in lower-case hexadecimal: what is kept of a password."""
    return HASHES[algorithm](b":".join((user, realm, password)))
