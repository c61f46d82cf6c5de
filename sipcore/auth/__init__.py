"""Sans-IO: who sends a request: digest authentication with nonces that are valid on both nodes."""

from sipcore.auth.digest import Algorithm, Credentials, DigestAuth, Verdict
from sipcore.auth.nonce import Nonces

__all__ = ["Algorithm", "Credentials", "DigestAuth", "Nonces", "Verdict"]
