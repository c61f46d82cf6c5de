"""Sans-IO: phones that register and refresh, without digest or with the nonce that they have."""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

from bench.sip.load import Port
from bench.sip.servers import DOMAIN, HOST, ha1, user

_NONCE = re.compile(rb'\r\nWWW-Authenticate: *Digest [^\r]*?nonce="([^"]+)"', re.IGNORECASE)
_URI = f"sip:{DOMAIN}"
_HA2 = hashlib.md5(f"REGISTER:{_URI}".encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class Phone:
    """One subscriber's phone."""

    name: str
    ha1: str
    cseq: int = 0
    nonce: str = ""
    uses: int = 0
    waits: bool = False


class Registers:
    """All phones on one port, one after the other; each REGISTER after the first is a refresh."""

    def __init__(self, phone: Port, users: int, contact_port: int, *, digest: bool) -> None:
        self.done = 0
        self.challenged = 0
        self.wrong: Counter[str] = Counter()
        self.phone = phone
        self.ports = [phone]
        self._digest = digest
        self._contact_port = contact_port
        self._own_port = phone.number
        self._phones = [Phone(user(n), ha1(user(n))) for n in range(users)]
        self._next = 0

    def launch(self) -> None:
        """Send the REGISTER of the next phone."""
        n = self._next
        self._next = (n + 1) % len(self._phones)
        self._send(n)

    def on_data(self, port: Port, data: bytes) -> None:
        """An answer."""
        at = data.find(b"\r\nCall-ID: ") + 11
        n = int(data[at : at + 8])
        phone = self._phones[n]
        status = data[8:11]
        if b"\r\nCSeq: %d REGISTER\r\n" % phone.cseq not in data or not phone.waits:
            self.wrong["old answer"] += 1
        elif status == b"200" and b"<sip:%b@" % phone.name.encode() in data:
            phone.waits = False
            self.done += 1
        elif status == b"401" and self._digest and (found := _NONCE.search(data)):
            self.challenged += 1
            phone.nonce, phone.uses = found[1].decode(), 0
            self._send(n)
        else:
            self.wrong["answer " + status.decode("ascii", "replace")] += 1

    def _send(self, n: int) -> None:
        phone = self._phones[n]
        phone.cseq += 1
        phone.waits = True
        port, name = self._own_port, phone.name
        text = (
            f"REGISTER {_URI} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HOST}:{port};branch=z9hG4bK{port}r{n}x{phone.cseq};rport\r\n"
            f"From: <sip:{name}@{DOMAIN}>;tag=r{n}\r\nTo: <sip:{name}@{DOMAIN}>\r\n"
            f"Call-ID: {n:08d}-{port}@bench\r\nCSeq: {phone.cseq} REGISTER\r\nMax-Forwards: 70\r\n"
            f"Contact: <sip:{name}@{HOST}:{self._contact_port}>\r\nExpires: 3600\r\n"
            f"{_authorization(phone)}User-Agent: bench/1.0\r\nContent-Length: 0\r\n\r\n"
        )
        self.phone.send(text.encode())


def _authorization(phone: Phone) -> str:
    """RFC 7616 section 3.4, with the nonce of the last challenge."""
    if not phone.nonce:
        return ""
    phone.uses += 1
    nc = f"{phone.uses:08x}"
    text = f"{phone.ha1}:{phone.nonce}:{nc}:bench:auth:{_HA2}"
    response = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return (
        f'Authorization: Digest username="{phone.name}", realm="{DOMAIN}", nonce="{phone.nonce}", '
        f'uri="{_URI}", response="{response}", algorithm=MD5, qop=auth, nc={nc}, cnonce="bench"\r\n'
    )
