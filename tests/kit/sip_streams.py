"""A SIP core with a listener of each kind on loopback, and clients for them."""

import socket
import ssl
from itertools import count
from pathlib import Path
from typing import Self

from sipcore.phone.link import Trust
from tests.kit.certificates import Authority
from tests.kit.sip_live import DOMAIN, CoreProcess, LivePhones, free_port

_branches = count()
ADDRESSES = {"tcp": "127.0.0.1", "tls": "127.0.0.1", "ws": "127.0.0.1", "wss": "127.0.0.1", "tcp6": "::1"}


class Streams:
    """The core, its certificates and its ports; `more` is added to its config."""

    def __init__(self, folder: Path, more: str = "", tls: str = "") -> None:
        self.authority = Authority(folder)
        self.authority.issue("server", DOMAIN)
        self.folder = folder
        self.ports = {name: free_port(address) for name, address in ADDRESSES.items()}
        text = "".join(self._listen(name, address, tls) for name, address in ADDRESSES.items())
        self.core = CoreProcess(folder, more=text + more)
        self.trust = Trust(ca_file=self.authority.ca, server_name=DOMAIN)

    def __enter__(self) -> Self:
        self.core.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.core.__exit__(*exc)

    def phones(self, transport: str, *users: str, trust: Trust | None = None) -> LivePhones:
        """Phones over one connection of this kind."""
        address = ADDRESSES[transport]
        return LivePhones(
            (address, self.ports[transport]),
            *users,
            local=f"[{address}]" if ":" in address else address,
            transport=transport[:3],
            trust=trust or self.trust,
        )

    def connect(self, transport: str, timeout: float = 10.0) -> socket.socket:
        """A bare connection."""
        made = socket.create_connection((ADDRESSES[transport], self.ports[transport]), timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def connect_tls(self, context: ssl.SSLContext, name: str = DOMAIN) -> ssl.SSLSocket:
        """A bare connection with its handshake done."""
        return context.wrap_socket(self.connect("tls"), server_hostname=name)

    def client_context(self) -> ssl.SSLContext:
        """Trusts the authority of this core."""
        return ssl.create_default_context(cafile=self.authority.ca)

    def _listen(self, name: str, address: str, tls: str) -> str:
        text = f'[[listen]]\naddress = "{address}"\nport = {self.ports[name]}\ntransport = "{name[:3]}"\n'
        if name in ("tls", "wss"):
            text += f'certificate = "{self.folder}/server.pem"\nkey = "{self.folder}/server.key"\n'
        return text + (tls if name == "tls" else "")


def options(number: int = 1, *, via: str = "127.0.0.1:9", transport: str = "TCP", body: bytes = b"") -> bytes:
    """An OPTIONS to the core itself."""
    return (
        f"OPTIONS sip:{DOMAIN} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {via};branch=z9hG4bKs{next(_branches)};rport\r\n"
        f"From: <sip:probe@{DOMAIN}>;tag=s\r\nTo: <sip:{DOMAIN}>\r\n"
        f"Call-ID: stream-{number}\r\nCSeq: {number} OPTIONS\r\nMax-Forwards: 70\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def answers(connection: socket.socket, wanted: int) -> bytes:
    """Read until so many responses are here."""
    data = b""
    while data.count(b"\r\n\r\n") < wanted:
        more = connection.recv(65535)
        assert more, f"closed after {data!r}"
        data += more
    return data
