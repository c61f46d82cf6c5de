"""IO shell: TLS between the nodes, with certificates on both sides.

Both certificates come from the authority that the config names, and hold the address that their node listens
on as a subject alternative name: so a stolen certificate of one node is worth nothing at another address.
"""

import ssl
from dataclasses import dataclass
from ipaddress import ip_address

from sipcore.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LinkTls:
    """Files in PEM; they are read anew for each link, so a renewed certificate needs no restart."""

    certificate: str  # with its chain
    key: str
    ca: str  # who signs the certificates of the nodes

    def context(self, *, dialer: bool) -> ssl.SSLContext:
        """For one link; ConfigError names the file that cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if dialer else ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"replication.ca: {self.ca}: {error}") from error
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"replication.certificate: {self.certificate}, {self.key}: {error}") from error
        return context


def names_host(certificate: object, host: str) -> bool:
    """Whether a verified peer certificate (`getpeercert`) is that of this address."""
    names = certificate.get("subjectAltName", ()) if isinstance(certificate, dict) else ()
    found = [value for kind, value in names if kind == "IP Address"]
    return any(ip_address(value) == ip_address(host) for value in found)
