"""Sans-IO: what can go wrong in the SIP core; an error carries what its receiver acts on."""


class SipcoreError(Exception):
    """The root of this package's errors."""


class ConfigError(SipcoreError):
    """The configuration is wrong; the text names key, value and limit."""


class ParseError(SipcoreError):
    """A message that breaks RFC 3261; `status` is what to answer.

    `partial` is the Request to answer, or None when it cannot be; its type lives a level higher.
    """

    def __init__(self, reason: str, *, status: int = 400, partial: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.partial = partial


class DialogError(SipcoreError):
    """What a script or an operator asked of a dialog cannot be; the text names value and limit."""


class StaleEpochError(SipcoreError):
    """A role with an epoch older than the one that is known already."""


class ReplicationError(SipcoreError):
    """The replication peer broke the protocol."""


class BinError(SipcoreError):
    """A BIN datagram that cannot be read, or a record that fits into none."""
