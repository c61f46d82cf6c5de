"""A CA of our own, and certificates from it as files."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(slots=True)
class Issued:
    """A certificate with its chain, and its key."""

    certificate: str
    key: str


class Authority:
    """One CA; its root is the file `ca`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.ca = str(folder / f"{name}.pem")
        self._ca.cert_pem.write_to_path(self.ca)

    def issue(self, name: str, *identities: str) -> Issued:
        """A certificate for these names and addresses; one of the same file name is replaced."""
        made = self._ca.issue_cert(*(identities or (name,)))
        issued = Issued(str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key"))
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        Path(issued.certificate).write_bytes(chain)
        made.private_key_pem.write_to_path(issued.key)
        return issued

    def listeners(self, address: str) -> str:
        """TCP and TLS beside the UDP listener of a core, and whom the core trusts."""
        made = self.issue(address)
        return f"""
[[listen]]
address = "{address}"
transport = "tcp"
[[listen]]
address = "{address}"
transport = "tls"
certificate = "{made.certificate}"
key = "{made.key}"
[tls]
ca_file = "{self.ca}"
"""
