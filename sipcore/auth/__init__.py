"""Sans-IO: who sends a request: digest authentication with nonces that are valid on both nodes."""

from sipcore.auth.algorithm import Algorithm
from sipcore.auth.digest import Credentials, DigestAuth, DigestSettings, Pending, Verdict
from sipcore.auth.failures import AuthFailure, Failures
from sipcore.auth.nonce import Nonces
from sipcore.auth.replica import NonceReplica

__all__ = [
    "Algorithm",
    "AuthFailure",
    "Credentials",
    "DigestAuth",
    "DigestSettings",
    "Failures",
    "NonceReplica",
    "Nonces",
    "Pending",
    "Verdict",
]
