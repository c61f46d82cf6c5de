"""IO shell: TLS contexts from files, for listeners (SNI, client certificates, reload) and for what we open.

A listener takes the present context for each connection, so new files count from the next handshake on;
connections that are up keep what they have. A broken file leaves the old certificates in use.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sipcore.errors import SipcoreError

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
CLIENT_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class TlsError(SipcoreError):
    """A certificate, a key or a CA cannot be used; the text says which file and why."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate with its chain, its key, and the names that clients ask for (empty: all others)."""

    certificate: str
    key: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsServerSettings:
    """One listener: its certificates, the first of them for clients that name nobody we know."""

    pairs: tuple[KeyPair, ...]
    min_version: str = "1.2"
    verify_client: str = "none"
    client_ca: str | None = None


class TlsServer:
    """The certificates of one listener; `context` is for the next connection."""

    def __init__(self, settings: TlsServerSettings) -> None:
        self._settings = settings
        self.context = self._load()

    def reload(self) -> None:
        """Read the files again; TlsError leaves all as it was."""
        self.context = self._load()

    def _load(self) -> ssl.SSLContext:
        settings = self._settings
        contexts = [self._context(pair) for pair in settings.pairs]
        by_name = {
            name.lower(): context
            for pair, context in zip(settings.pairs, contexts, strict=True)
            for name in pair.names
        }
        if by_name:
            contexts[0].sni_callback = _Chooser(by_name)
        return contexts[0]

    def _context(self, pair: KeyPair) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = VERSIONS[self._settings.min_version]
        context.options |= ssl.OP_NO_RENEGOTIATION  # it costs us more than the peer
        context.verify_mode = CLIENT_MODES[self._settings.verify_client]
        _load_pair(context, pair.certificate, pair.key)
        if self._settings.client_ca is not None:
            _load_ca(context, self._settings.client_ca)
        return context


class _Chooser:
    """Picks the certificate by the name that the client asks for (RFC 6066 section 3)."""

    def __init__(self, by_name: dict[str, ssl.SSLContext]) -> None:
        self._by_name = by_name

    def __call__(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _context: ssl.SSLContext
    ) -> None:
        wanted = (name or "").lower()
        chosen = self._by_name.get(wanted) or self._by_name.get("*." + wanted.partition(".")[2])
        if chosen is not None:
            connection.context = chosen


class TlsClient:
    """For the connections that we open."""

    def __init__(
        self,
        *,
        verify: bool = True,
        ca_file: str | None = None,
        pair: KeyPair | None = None,
        min_version: str = "1.2",
    ) -> None:
        self.verify = verify
        self._ca_file = ca_file
        self._pair = pair
        self._min_version = min_version
        self.context = self._load()

    def reload(self) -> None:
        """Read the files again; TlsError leaves all as it was."""
        self.context = self._load()

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = VERSIONS[self._min_version]
        context.check_hostname = False  # RFC 5922 has rules of its own: identity.py
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        if self._ca_file is not None:
            _load_ca(context, self._ca_file)
        elif self.verify:
            context.load_default_certs()
        if self._pair is not None:
            _load_pair(context, self._pair.certificate, self._pair.key)
        return context


def reload_all(parts: Sequence[TlsServer | TlsClient]) -> None:
    """Read all files again; TlsError says what is wrong with those that keep their old certificates."""
    wrong = []
    for part in parts:
        try:
            part.reload()
        except TlsError as error:
            wrong.append(str(error))
    if wrong:
        raise TlsError("; ".join(wrong))


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    for path in (certificate, key):
        _readable(path)
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise TlsError(f"{certificate} with {key}: {_reason(error)}") from error


def _load_ca(context: ssl.SSLContext, path: str) -> None:
    _readable(path)
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        raise TlsError(f"{path}: {_reason(error)}") from error


def _readable(path: str) -> None:
    try:
        Path(path).read_bytes()
    except OSError as error:
        raise TlsError(f"{path}: {error.strerror}") from error


def _no_password() -> str:
    raise ValueError("the key has a password; a server cannot be asked for one")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error)
